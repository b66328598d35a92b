import type { Platform } from "../../engines/platform.ts";
import { createGate } from "../../kernel/gate.ts";
import { substrateErrors } from "./errors.ts";
import { limits } from "./limits.ts";

/**
 * Lets proposals and previews in only so many at a time. Each holds a database connection, perhaps waiting for another's
 * locks; without turns one organisation's could take all that Ambit has.
 */
export interface Turns {
  /** Throws PROPOSALS_BUSY when too many of the organisation wait already. */
  take<T>(organizationId: string, work: () => Promise<T>): Promise<T>;
}

export function createTurns({ metrics }: Pick<Platform, "metrics">): Turns {
  const refusal = () => {
    metrics.limitsHit.inc({ limit: "substrate_proposals_waiting" });
    return substrateErrors.PROPOSALS_BUSY({ headers: { "Retry-After": "1" } });
  };
  const own = createGate({
    ...{ inside: limits.proposalsAtOnce, waiting: limits.proposalsWaiting },
    refusal,
  });
  const all = createGate({ inside: limits.proposalsOfAll, waiting: Number.POSITIVE_INFINITY, refusal });
  return { take: (organizationId, work) => own.run(organizationId, () => all.run("all", work)) };
}
