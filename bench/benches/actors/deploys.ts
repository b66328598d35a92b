import { setTimeout as pause } from "node:timers/promises";
import type { RunningAmbit } from "../../harness/ambit.ts";
import type { Api } from "../../harness/api.ts";
import type { BenchContext } from "../../harness/bench.ts";
import { median } from "../../harness/statistics.ts";
import { COUNTER } from "./programs.ts";

const DEPLOYS = 15;
const SLEEPERS = 15;
const BETWEEN_MS = 200;

/** How long a deploy takes until the new code serves, how long callers wait meanwhile, and what waking up costs. */
export async function measureDeploys(
  context: BenchContext,
  ambit: RunningAmbit,
  app: { readonly id: string; readonly api: Api },
  version: string,
): Promise<void> {
  const path = `/v1/${app.id}/do/deployed/room`;
  const deploy = (number: number) =>
    app.api("POST", `/v1/${app.id}/durable-objects`, {
      name: "deployed",
      code: `${COUNTER}\n// ${number}`,
      access_mode: "public",
    });
  await deploy(0);
  await fetchText(ambit, path);
  const tookMs: number[] = [];
  const pausesMs: number[] = [];
  for (let number = 1; number <= DEPLOYS; number += 1) {
    const watch = watchPauses(() => fetchText(ambit, path));
    const startedAt = performance.now();
    await deploy(number);
    await fetchText(ambit, path);
    tookMs.push(performance.now() - startedAt);
    await pause(BETWEEN_MS);
    pausesMs.push(await watch());
    context.note(
      `deploy ${number}/${DEPLOYS}: ${tookMs.at(-1)!.toFixed(0)} ms, pause ${pausesMs.at(-1)!.toFixed(0)} ms`,
    );
  }
  const conditions = `a class redeployed ${DEPLOYS} times over HTTP while one caller sends request after request to it; medians`;
  const report = (measure: string, value: number, most: number, text: string) =>
    context.report(
      { measure, value, unit: "ms", target: { of: "value", bound: "≤", number: most }, conditions: text },
      version,
    );
  report(
    "actors.deploy_to_serving",
    median(tookMs),
    200,
    `${conditions}; from the deploy's request to an answer of the new code`,
  );
  report(
    "actors.deploy_pause",
    median(pausesMs),
    150,
    `${conditions}; the longest that caller waited for an answer`,
  );
  const wokenMs: number[] = [];
  for (let number = 1; number <= SLEEPERS; number += 1) {
    const { app_id } = await app.api("POST", "/init", { name: `sleeper-${number}` });
    await app.api("POST", `/v1/${app_id}/durable-objects`, {
      name: "counter",
      code: COUNTER,
      access_mode: "public",
    });
    await pause(BETWEEN_MS);
    const startedAt = performance.now();
    await fetchText(ambit, `/v1/${app_id}/do/counter/room`);
    wokenMs.push(performance.now() - startedAt);
  }
  report(
    "actors.first_request_of_a_sleeper",
    median(wokenMs),
    150,
    `${SLEEPERS} apps with one class each whose process does not run; from the request to its answer; median`,
  );
}

async function fetchText(ambit: RunningAmbit, path: string): Promise<string> {
  const response = await fetch(`${ambit.apiUrl}${path}`);
  const text = await response.text();
  if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`);
  return text;
}

/** Sends request after request until told to stop; gives the longest that one took. Throws when one fails. */
function watchPauses(request: () => Promise<unknown>): () => Promise<number> {
  let longestMs = 0;
  let going = true;
  const loop = (async () => {
    while (going) {
      const startedAt = performance.now();
      await request();
      longestMs = Math.max(longestMs, performance.now() - startedAt);
    }
  })();
  loop.catch(() => {});
  return async () => {
    going = false;
    await loop;
    return longestMs;
  };
}
