import { type Child, startChild } from "../../harness/child.ts";
import type { ClientsCommands, ConnectPlan, Seen } from "./clients-worker.ts";

const WORKER = new URL("clients-worker.ts", import.meta.url);

/** Clients in several processes, handled as one. */
export interface Swarm {
  /** Connections opened per second. */
  connect(plan: ConnectPlan): Promise<number>;
  /** Waits until every row with these turns was shown to whom it is for; `turns` is by group, since the clients connected. */
  until(turns: Turns, withinMs: number): Promise<Seen>;
  close(): Promise<void>;
}

/** By group, how many rows were written for it. */
export type Turns = Readonly<Record<number, number>>;

export function startSwarm(resources: AsyncDisposableStack, processes: number): Swarm {
  const workers: Child<ClientsCommands>[] = Array.from({ length: processes }, () =>
    startChild<ClientsCommands>(resources, WORKER),
  );
  const groups: number[][] = workers.map(() => []);
  let shown: Turns = {};
  return {
    async connect(plan) {
      const parts = workers.map((_, at) => plan.clients.filter((_, index) => index % processes === at));
      for (const [at, part] of parts.entries()) groups[at]!.push(...part.map(({ group }) => group));
      const atOnce = Math.ceil(plan.atOnce / processes);
      const took = await Promise.all(
        workers.map((worker, at) => worker.call("connect", { ...plan, clients: parts[at]!, atOnce })),
      );
      return (plan.clients.length * 1_000) / Math.max(...took);
    },
    async until(turns, withinMs) {
      const due = groups.map((all) =>
        all.reduce((sum, group) => sum + (turns[group] ?? 0) - (shown[group] ?? 0), 0),
      );
      const seen = await Promise.all(
        workers.map((worker, at) => worker.call("until", { deliveries: due[at]!, withinMs })),
      );
      await Promise.all(workers.map((worker) => worker.call("verify", turns)));
      shown = { ...turns };
      return {
        deliveries: due.reduce((a, b) => a + b, 0),
        lastAtMs: Math.max(...seen.map(({ lastAtMs }) => lastAtMs)),
        latenciesMs: seen.flatMap(({ latenciesMs }) => latenciesMs),
      };
    },
    async close() {
      await Promise.all(workers.map((worker) => worker.call("close", null)));
      for (const all of groups) all.length = 0;
      shown = {};
    },
  };
}
