import { newDataDir, startAmbit } from "../harness/ambit.ts";
import type { Bench } from "../harness/bench.ts";
import { postgresVersion } from "../harness/postgres.ts";
import { median } from "../harness/statistics.ts";

const REPEATS = 5;
const FIRST_BOOT_MS = 5_000;
const LATER_BOOT_MS = 2_000;

/** How long a start takes: the first on an empty directory, and later ones on the same directory. */
export const start: Bench = {
  name: "start",
  summary: "from spawning the process to the first 200 of /health/ready, first and later boots",
  async run({ resources, report, note }) {
    const first: number[] = [];
    const later: number[] = [];
    let version = "";
    for (let repeat = 1; repeat <= REPEATS; repeat += 1) {
      const dataDir = newDataDir(resources);
      for (const times of [first, later]) {
        const ambit = await startAmbit(resources, dataDir);
        times.push(ambit.readyMs);
        version ||= await postgresVersion(dataDir);
        await ambit.stop();
      }
      note(
        `${repeat}/${REPEATS}: first ${first.at(-1)!.toFixed(0)} ms, later ${later.at(-1)!.toFixed(0)} ms`,
      );
    }
    const shared = { unit: "ms", conditions: `median of ${REPEATS}; embedded Postgres on the same machine` };
    const atMost = (number: number) => ({ of: "value", bound: "≤", number }) as const;
    report(
      { ...shared, measure: "start.first_boot", value: median(first), target: atMost(FIRST_BOOT_MS) },
      version,
    );
    report(
      { ...shared, measure: "start.later_boot", value: median(later), target: atMost(LATER_BOOT_MS) },
      version,
    );
  },
};
