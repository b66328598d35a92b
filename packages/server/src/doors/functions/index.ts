import type { HttpLane } from "../http/lanes.ts";
import type { FunctionDoorDeps } from "./deps.ts";
import { createFunctionLane } from "./function-lane.ts";
import { createLogStreamLane } from "./log-stream-lane.ts";
import { createWebhookLane } from "./webhook-lane.ts";

export type { FunctionDoorDeps } from "./deps.ts";

/** The lanes that run functions and follow their logs; `close` ends the streams that would keep the server open. */
export function createFunctionLanes(deps: FunctionDoorDeps): { lanes: readonly HttpLane[]; close(): void } {
  const logs = createLogStreamLane(deps);
  return {
    lanes: [createFunctionLane(deps), createWebhookLane(deps), logs],
    close: () => logs.close(),
  };
}
