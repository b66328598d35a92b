import type { HttpLane } from "../http/lanes.ts";
import type { UpgradeLane } from "../websocket/upgrades.ts";
import type { ActorDoorDeps } from "./admission.ts";
import { createActorHttpLane } from "./http-lane.ts";
import { ActorSockets } from "./sockets.ts";
import { createActorUpgradeLane } from "./upgrade-lane.ts";

export type { ActorDoorDeps } from "./admission.ts";

/** The door to Durable Objects: `/v1/<app>/do/<class>/<instance>[/…]`, and `/_do/…` on the app's own host name. */
export function createActorLanes(deps: ActorDoorDeps): {
  http: HttpLane;
  upgrade: UpgradeLane;
  /** Ends open sockets; the server is stopping. */
  close(): Promise<void>;
} {
  const sockets = new ActorSockets(deps);
  return {
    http: createActorHttpLane(deps),
    upgrade: createActorUpgradeLane(deps, sockets),
    close: () => sockets.close(),
  };
}
