import { setTimeout as pause } from "node:timers/promises";
import { residentBytes } from "./server-process.ts";
import type { Stand } from "./stand.ts";
import type { Swarm } from "./swarm.ts";

export interface Idle {
  readonly clients: number;
  readonly bytesPerConnection: number;
  readonly connectsPerSecond: number;
}

const WARM_UP = 500;
/** In which the server collects what opening the connections left behind. */
const SETTLE_MS = 12_000;

/** Memory of Ambit's process for connections that wait, each a user of its own with one subscription. */
export async function measureIdle(stand: Stand, swarm: Swarm, count: number): Promise<Idle> {
  const connect = (from: number, to: number) =>
    swarm.connect({
      host: stand.ambit.host,
      port: stand.ambit.port,
      path: stand.path,
      table: "owned",
      clients: stand.users.slice(from, to).map(({ token }, index) => ({ token, group: from + index })),
      atOnce: to - from,
      sampleEvery: 1,
    });
  await connect(0, Math.min(WARM_UP, count));
  await swarm.close();
  await pause(SETTLE_MS / 2);
  const before = residentBytes(stand.ambit.pid);
  const connectsPerSecond = await connect(0, count);
  await pause(SETTLE_MS);
  const bytesPerConnection = (residentBytes(stand.ambit.pid) - before) / count;
  await swarm.close();
  return { clients: count, bytesPerConnection, connectsPerSecond };
}
