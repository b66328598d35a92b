import type { InFlight } from "../http/in-flight.ts";
import type { HeldBytes } from "./body.ts";
import type { ClientIds } from "./ids.ts";
import type { RepeatedArguments } from "./repeated-arguments.ts";
import type { Streams } from "./streams.ts";
import type { GatewayDoorDeps } from "./types.ts";
import type { Watch } from "./under-way.ts";

/** What the parts of the door share. */
export interface DoorContext extends GatewayDoorDeps {
  readonly ids: ClientIds;
  readonly watch: Watch;
  readonly held: HeldBytes;
  readonly requests: InFlight;
  readonly streams: Streams;
  readonly repeated: RepeatedArguments;
}
