import { startChild } from "../harness/child.ts";
import type { Plan, Window } from "./plan.ts";
import type { WorkerCommands } from "./worker.ts";

const WORKER = new URL("worker.ts", import.meta.url);

/** A load generator in a process of its own, connected and ready. */
export interface Generator {
  /** The body of one answer, to see that the right thing is measured. */
  readonly sample: string;
  /** Keeps all connections busy for so long. */
  run(forMs: number): Promise<Window>;
}

/** Starts a generator; it ends with `resources`. Rejects when a connection or its first request fails. */
export async function startGenerator(resources: AsyncDisposableStack, plan: Plan): Promise<Generator> {
  const child = startChild<WorkerCommands>(resources, WORKER);
  const sample = await child.call("connect", plan);
  return { sample, run: (forMs) => child.call("run", forMs) };
}
