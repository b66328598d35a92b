import { createTicker, type Ticker } from "../../kernel/ticker.ts";
import type { GatewayContext } from "./context.ts";
import { limits } from "./limits.ts";

/** The look at all of them, and what does it now and then. */
export interface Sweep extends Ticker {
  sweep(): Promise<void>;
}

/**
 * Ends calls that wait of grants and servers that are no more: at once where this node made or found the change, and
 * with a look at all of them now and then, for grants that ran out and nodes that died on the way.
 */
export function createSweep(context: GatewayContext): Sweep {
  const { grants, servers, holds, platform } = context;
  const endGrant = async (grantId: string) => {
    const grant = await grants.byId(grantId);
    const lives = grant !== null && (await servers.find(grant.serverId)) !== null;
    if (!lives) await holds.cancelOfGrant(grantId);
  };
  const later = (error: unknown) =>
    platform.log.warn({ err: error }, "calls that wait were not cancelled yet; they are looked at again");
  grants.onChanged((grantId) => void endGrant(grantId).catch(later));
  servers.onDeleted((serverId) => void holds.cancelOfServer(serverId).catch(later));
  const sweep = async (signal?: AbortSignal) => {
    let after = "";
    while (!signal?.aborted) {
      const ids = await holds.grantsWithHolds(after, limits.sweepGrants);
      for (const id of ids) await endGrant(id);
      if (ids.length < limits.sweepGrants) return;
      after = ids.at(-1)!;
    }
  };
  const name = "held calls of grants that are no more";
  const ticker = createTicker({ name, everyMs: limits.sweepEveryMs, log: platform.log, run: sweep });
  return { ...ticker, sweep };
}
