import { type Reservation, retryAfterS } from "@ambit/policy";
import { errors } from "../../kernel/errors.ts";
import type { GatewayContext } from "./context.ts";
import { limits } from "./limits.ts";
import type { Admission } from "./types.ts";

const HOUR_MS = 3_600_000;

/** See `GatewayService.openSession`. */
export async function openSession({ quotas, platform }: GatewayContext, { grant }: Admission): Promise<void> {
  const nowMs = platform.clock();
  const wanted = sessionOf(grant.id, nowMs);
  const reserved = await quotas.reserve([wanted]);
  if (reserved.ok) return;
  platform.metrics.limitsHit.inc({ limit: "gateway_sessions_per_grant" });
  const seconds = retryAfterS(wanted, nowMs);
  throw errors.QUOTA_RATE_LIMIT({
    message: `A grant may open ${limits.sessionsPerHour} sessions an hour.`,
    details: { limit: "gateway_sessions_per_grant", retry_after_s: seconds },
    headers: { "Retry-After": String(seconds) },
  });
}

/** No document's counter begins like this: theirs are a grant's, a session's or a server's. */
function sessionOf(grantId: string, nowMs: number): Reservation {
  const windowStartMs = nowMs - (nowMs % HOUR_MS);
  return {
    ...{ key: `opened:${grantId}/sessions/hour`, counter: "sessions", cost: 1, max: limits.sessionsPerHour },
    ...{ windowStartMs, windowEndMs: windowStartMs + HOUR_MS, rule: "", message: null },
  };
}
