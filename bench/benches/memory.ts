import { setTimeout as pause } from "node:timers/promises";
import { newDataDir, type RunningAmbit, startAmbit } from "../harness/ambit.ts";
import { apiOf } from "../harness/api.ts";
import type { Bench } from "../harness/bench.ts";
import { postgresVersion } from "../harness/postgres.ts";
import { proportionalBytes, withDescendants } from "../harness/process-memory.ts";
import { median } from "../harness/statistics.ts";
import { createNotesApp, insertNotes, signUp } from "./notes-app.ts";

const REPEATS = 3;
const AFTER_BOOT_MS = 10_000;
const AFTER_WORK_MS = 15_000;
const MOST_MB = 250;
const USERS = 5;
const READS_EACH = 100;

/** What a running Ambit holds in memory with nothing to do: its own process, its Postgres, and every child. */
export const memory: Bench = {
  name: "memory",
  summary: "idle memory of Ambit, its Postgres and every child, after boot and after some work",
  async run({ resources, report, note }) {
    const fresh: number[] = [];
    const worked: number[] = [];
    let version = "";
    for (let repeat = 1; repeat <= REPEATS; repeat += 1) {
      const dataDir = newDataDir(resources);
      const ambit = await startAmbit(resources, dataDir);
      await pause(AFTER_BOOT_MS);
      fresh.push(residentMb(ambit, note));
      version ||= await postgresVersion(dataDir);
      await work(ambit);
      await pause(AFTER_WORK_MS);
      worked.push(residentMb(ambit, note));
      await ambit.stop();
    }
    const target = { of: "value", bound: "≤", number: MOST_MB } as const;
    const common = `sum of the proportional set sizes (smaps_rollup) of Ambit, its Postgres and every child; median of ${REPEATS}`;
    report(
      {
        measure: "memory.after_boot",
        value: median(fresh),
        unit: "MB",
        target,
        conditions: `${common}; ${AFTER_BOOT_MS / 1_000} s after a first boot`,
      },
      version,
    );
    report(
      {
        measure: "memory.after_work",
        value: median(worked),
        unit: "MB",
        target,
        conditions:
          `${common}; ${AFTER_WORK_MS / 1_000} s after making one app with a table, ${USERS} users, ` +
          `${USERS * 10} rows and ${USERS * READS_EACH} reads`,
      },
      version,
    );
  },
};

/** What a developer does in the first minutes: an app, some users, some rows, some reads. */
async function work(ambit: RunningAmbit): Promise<void> {
  const app = await createNotesApp(ambit);
  const users = [];
  for (let index = 0; index < USERS; index += 1) users.push(await signUp(ambit, app, `user${index}`));
  await insertNotes(
    ambit,
    app,
    users.map((user) => user.id),
    10,
  );
  await Promise.all(
    users.map(async (user) => {
      const api = apiOf(ambit, user.token);
      for (let read = 0; read < READS_EACH; read += 1) await api("GET", `/v1/${app.id}/notes`);
    }),
  );
}

function residentMb(ambit: RunningAmbit, note: (text: string) => void): number {
  const mb = (bytes: number) => bytes / 1_000_000;
  const total = withDescendants([ambit.pid, ambit.postgresPid]).map(proportionalBytes);
  const sum = mb(total.reduce((a, b) => a + b, 0));
  const own = mb(proportionalBytes(ambit.pid));
  if (own === 0) throw new Error("Ambit has ended");
  note(`${total.length} processes, ${sum.toFixed(0)} MB, of which ${own.toFixed(0)} MB are Ambit's own`);
  return sum;
}
