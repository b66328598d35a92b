import { RateLimiterMemory } from "rate-limiter-flexible";
import { errors } from "./errors.ts";
import type { Metrics } from "./metrics.ts";

/** How many times something may happen per window, counted per key (an address, an account, …). */
export interface RateRule {
  readonly name: string;
  readonly points: number;
  readonly windowS: number;
}

export interface RateLimit {
  /** Counts one use; throws QUOTA_RATE_LIMIT with Retry-After when the window's points are gone. */
  consume(key: string): Promise<void>;
}

/** A limit of one of Ambit's own doors, counted in this process. */
export function createRateLimit(rule: RateRule, metrics: Metrics): RateLimit {
  const limiter = new RateLimiterMemory({
    points: rule.points,
    duration: rule.windowS,
    keyPrefix: rule.name,
  });
  const refuse = (msBeforeNext: number) => {
    metrics.limitsHit.inc({ limit: rule.name });
    const seconds = Math.max(1, Math.ceil(msBeforeNext / 1000));
    return errors.QUOTA_RATE_LIMIT({
      message: `Too many requests: at most ${rule.points} in ${rule.windowS} seconds (${rule.name}).`,
      details: { limit: rule.name, retry_after_s: seconds },
      headers: { "Retry-After": String(seconds) },
    });
  };
  return {
    async consume(key) {
      try {
        await limiter.consume(key);
      } catch (exceeded) {
        if (exceeded instanceof Error) throw exceeded;
        throw refuse((exceeded as { msBeforeNext: number }).msBeforeNext);
      }
    },
  };
}
