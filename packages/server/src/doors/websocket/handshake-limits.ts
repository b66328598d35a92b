import { errors } from "../../kernel/errors.ts";
import { createGate } from "../../kernel/gate.ts";
import type { Metrics } from "../../kernel/metrics.ts";
import { createRateLimit } from "../../kernel/rate-limit.ts";
import { limits } from "./limits.ts";

/** Throws QUOTA_RATE_LIMIT with Retry-After when an address opens too many, or too many wait already. */
export interface HandshakeLimits {
  run<T>(address: string, work: () => Promise<T>): Promise<T>;
}

/** Upgrade requests come at a bounded rate per address, and are looked into so many at a time. */
export function handshakeLimits(metrics: Metrics): HandshakeLimits {
  const rate = createRateLimit(
    { name: "realtime_handshakes", points: limits.handshakesPerAddress, windowS: limits.handshakeWindowS },
    metrics,
  );
  const gate = createGate({
    inside: limits.handshakesAtOnce,
    waiting: limits.handshakesWaiting,
    refusal() {
      metrics.limitsHit.inc({ limit: "realtime_handshakes_waiting" });
      return errors.QUOTA_RATE_LIMIT({
        message: `Too many connections are being opened at once: ${limits.handshakesWaiting} wait already.`,
        headers: { "Retry-After": "5" },
      });
    },
  });
  return {
    async run(address, work) {
      await rate.consume(address);
      return gate.run("", work);
    },
  };
}
