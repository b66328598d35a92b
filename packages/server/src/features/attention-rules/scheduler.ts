import { newUuid } from "../../kernel/ids.ts";
import { createTicker, type Ticker } from "../../kernel/ticker.ts";
import type { RuleContext } from "./context.ts";
import { postponeRule, type TakenRule, takeDueRules } from "./due-store.ts";
import { fire } from "./firing.ts";
import { sweepFirings } from "./firing-store.ts";
import { limits } from "./limits.ts";

export interface Scheduler extends Ticker {
  /** Fires what is due now and waits for it; true when there may be more. What `start` does again and again. */
  tick(): Promise<boolean>;
}

/**
 * Fires rules whose time has come. The rules are rows that all nodes look at; a node that takes one up holds it until
 * its firing is over, or until a node that lived would have ended it.
 */
export function createScheduler(context: RuleContext): Scheduler {
  const { database, clock, log, metrics } = context.platform;
  const failures = metrics.counter("ambit_rule_firings_broken_off_total", "Firings that broke off.");
  let sweptMs = clock();

  const fireOne = async (rule: TakenRule): Promise<void> => {
    try {
      await fire(context, rule);
    } catch (error) {
      failures.inc();
      log.warn({ err: error, rule: rule.id }, "a firing broke off; it is gone on with later");
      await postponeRule(database, rule, new Date(clock() + limits.retryMs));
    }
  };

  const tick = async (): Promise<boolean> => {
    const nowMs = clock();
    const taken = await takeDueRules(database, {
      now: new Date(nowMs),
      until: new Date(nowMs + limits.leaseMs),
      claim: newUuid(),
      atOnce: limits.atOnce,
    });
    const ends = await Promise.allSettled(taken.map(fireOne));
    for (const end of ends) if (end.status === "rejected") throw end.reason;
    if (nowMs - sweptMs >= limits.sweepMs) {
      sweptMs = nowMs;
      await sweepFirings(database, nowMs);
    }
    return taken.length === limits.atOnce;
  };

  return {
    ...createTicker({ name: "attention rules", everyMs: limits.tickMs, log, run: tick }),
    tick,
  };
}
