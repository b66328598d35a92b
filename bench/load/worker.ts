import { serve } from "../harness/child.ts";
import { HttpLane } from "./http-lane.ts";
import { type Lane, runClosedLoop } from "./lane.ts";
import type { Plan, Window } from "./plan.ts";
import { SqlLane } from "./sql-lane.ts";

let lanes: Lane[] = [];

const open = (plan: Plan, index: number): Promise<Lane> =>
  plan.kind === "http"
    ? HttpLane.connect(plan.host, plan.port, plan.requests[index % plan.requests.length]!)
    : SqlLane.connect(plan);

/** What the process behind a generator can do. */
const commands = {
  /** Opens all connections and sends one request over each; gives the body of one answer. */
  async connect(plan: Plan): Promise<string> {
    lanes = await Promise.all(Array.from({ length: plan.connections }, (_, index) => open(plan, index)));
    const [sample] = await Promise.all(lanes.map((lane) => lane.call()));
    return sample!;
  },
  run: (forMs: number): Promise<Window> => runClosedLoop(lanes, forMs),
};
export type WorkerCommands = typeof commands;

serve(commands);
