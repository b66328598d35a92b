import { setTimeout as pause } from "node:timers/promises";
import type { RunningAmbit } from "../../harness/ambit.ts";
import type { Api } from "../../harness/api.ts";
import type { BenchContext } from "../../harness/bench.ts";
import { proportionalBytes, withDescendants } from "../../harness/process-memory.ts";
import { COUNTER } from "./programs.ts";

const APPS = 200;
const SETTLE_MS = 15_000;
const MOST_MB = 50;

/** What apps cost that are deployed and asleep: the memory of Ambit, its Postgres and every child, before and after. */
export async function measureSleepers(
  context: BenchContext,
  ambit: RunningAmbit,
  api: Api,
  version: string,
): Promise<void> {
  const make = async (name: string) => {
    const { app_id } = await api("POST", "/init", { name });
    await api("POST", `/v1/${app_id}/durable-objects`, { name: "counter", code: COUNTER });
  };
  // What the first deploys load stays loaded, and is no cost of the apps.
  for (let number = 0; number < 5; number += 1) await make(`first-${number}`);
  await pause(SETTLE_MS);
  const before = residentMb(ambit);
  for (let number = 0; number < APPS; number += 1) await make(`idle-${number}`);
  await pause(SETTLE_MS);
  const after = residentMb(ambit);
  context.note(`${before.toFixed(0)} MB before, ${after.toFixed(0)} MB after`);
  context.report(
    {
      measure: "actors.idle_apps",
      value: after - before,
      unit: "MB",
      target: { of: "value", bound: "≤", number: MOST_MB },
      conditions:
        `${APPS} apps with one class each, deployed and asleep; proportional set sizes of Ambit, its Postgres and every child, ` +
        `${SETTLE_MS / 1_000} s after, less those before (${before.toFixed(0)} MB); one run`,
    },
    version,
  );
}

function residentMb(ambit: RunningAmbit): number {
  const pids = withDescendants([ambit.pid, ambit.postgresPid]);
  return pids.map(proportionalBytes).reduce((sum, bytes) => sum + bytes, 0) / 1e6;
}
