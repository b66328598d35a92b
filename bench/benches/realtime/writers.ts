import { setTimeout as pause } from "node:timers/promises";
import { limits as realtimeLimits } from "../../../packages/server/src/features/realtime/limits.ts";
import type { Child } from "../../harness/child.ts";
import { median } from "../../harness/statistics.ts";
import type { Stand } from "./stand.ts";
import type { Swarm } from "./swarm.ts";
import type { WriterCommands } from "./writer-worker.ts";

/** Transactions per second of writers with changes captured, by those without. */
export interface Share {
  readonly perSecond: number;
  readonly without: number;
  readonly ratio: number;
}

const ROUNDS = 7;
const WINDOW_MS = 1_000;
const WARM_UP_MS = 1_500;

/** One side: writers against one Ambit's Postgres. */
export interface Side {
  readonly stand: Stand;
  readonly writer: Child<WriterCommands>;
}

/** By turns, so that what else the machine does falls on both. `swarm` connects one idle client to `captured`, or none. */
export async function compareWriters(captured: Side, plain: Side, swarm: Swarm | null): Promise<Share> {
  for (const { stand, writer } of [captured, plain]) {
    await writer.call("aim", {
      ...{ table: `${stand.appId}.owned`, column: "user_id", type: "text" },
      keys: Array.from({ length: 8 }, (_, group) => `nobody ${group}`),
    });
  }
  const { host, port } = captured.stand.ambit;
  const token = captured.stand.users[0]!.token;
  await swarm?.connect({
    ...{ host, port, path: captured.stand.path, table: null, atOnce: 1, sampleEvery: 1 },
    clients: [{ token, group: 0 }],
  });
  // Nodes stop reading a while after the last listener went.
  await pause(swarm === null ? realtimeLimits.graceMs + 5_000 : 500);
  const run = async ({ writer }: Side, forMs: number) => writer.call("transact", { forMs });
  await run(captured, WARM_UP_MS);
  await run(plain, WARM_UP_MS);
  const rounds: { with: number; without: number }[] = [];
  for (let round = 0; round < ROUNDS; round += 1)
    rounds.push({ with: await run(captured, WINDOW_MS), without: await run(plain, WINDOW_MS) });
  await swarm?.close();
  return {
    perSecond: median(rounds.map((round) => round.with)),
    without: median(rounds.map((round) => round.without)),
    ratio: median(rounds.map((round) => round.with / round.without)),
  };
}
