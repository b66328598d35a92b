import type { Metrics } from "../../kernel/metrics.ts";
import { createInFlight } from "../http/in-flight.ts";
import { gatewayDoorErrors } from "./errors.ts";
import { limits } from "./limits.ts";

/** Counts the streams that listen. */
export class Streams {
  readonly #metrics: Pick<Metrics, "limitsHit">;
  readonly #ofGrant = createInFlight(limits.streamsPerGrant);
  #open = 0;

  constructor(metrics: Pick<Metrics, "limitsHit">) {
    this.#metrics = metrics;
  }

  /** One more. Throws GATEWAY_STREAMS_BUSY when there are as many as there may be, of the grant or of the node. */
  enter(grantId: string): void {
    if (this.#open >= limits.streamsPerNode) this.#refuse("gateway_streams_per_node");
    if (!this.#ofGrant.enter(grantId)) this.#refuse("gateway_streams_per_grant");
    this.#open += 1;
  }

  leave(grantId: string): void {
    this.#open -= 1;
    this.#ofGrant.leave(grantId);
  }

  #refuse(limit: string): never {
    this.#metrics.limitsHit.inc({ limit });
    throw gatewayDoorErrors.GATEWAY_STREAMS_BUSY({ headers: { "Retry-After": "5" } });
  }
}
