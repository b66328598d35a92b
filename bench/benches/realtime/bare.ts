import { startChild } from "../../harness/child.ts";
import type { BareCommands } from "./bare-server.ts";
import type { Swarm } from "./swarm.ts";

const SERVER = new URL("bare-server.ts", import.meta.url);
const ROUNDS = 15;

/** Deliveries per second of a process that only writes ready frames, one writing each, to so many sockets. */
export async function bareDeliveriesPerSecond(
  resources: AsyncDisposableStack,
  swarm: Swarm,
  clients: number,
  bytes: number,
): Promise<number> {
  const server = startChild<BareCommands>(resources, SERVER);
  const port = await server.call("listen", null);
  const groups = Array.from({ length: clients }, (_, group) => group);
  await swarm.connect({
    ...{ host: "127.0.0.1", port, path: "/group/", table: null, atOnce: 512, sampleEvery: 1_000_000 },
    clients: groups.map((group) => ({ token: null, group, pathEnd: String(group) })),
  });
  const beganAtMs = await server.call("write", { rounds: ROUNDS, bytes });
  const { deliveries, lastAtMs } = await swarm.until(
    Object.fromEntries(groups.map((group) => [group, ROUNDS])),
    30_000,
  );
  await swarm.close();
  return (deliveries * 1_000) / (lastAtMs - beganAtMs);
}
