import type { Platform } from "../../engines/platform.ts";
import type { GuardedFetch } from "../../kernel/guarded-fetch.ts";
import { newUuid } from "../../kernel/ids.ts";
import { createTicker } from "../../kernel/ticker.ts";
import type { LedgerService } from "../ledger/service.ts";
import { tryOnce } from "./attempt.ts";
import { release, settle, type TakenRow, takeDue } from "./claim-store.ts";
import { recordEnd } from "./entries.ts";
import { limits } from "./limits.ts";
import { decideNext, type NextStep } from "./retry.ts";
import { sweepEnded } from "./store.ts";

/** Sends what waits in the outbox. */
export interface Deliverer {
  start(): void;
  /** Looks for what is due soon, without waiting for its time. */
  wake(): void;
  /** Ends it: tries under way get a moment, and go back untried after that. */
  stop(): Promise<void>;
}

export interface DelivererDeps {
  readonly fetch: GuardedFetch;
  readonly ledger: Pick<LedgerService, "append">;
  /** In [0, 1). */
  readonly random?: () => number;
}

/**
 * Every node runs one. The deliveries are rows that all of them look at; the node that takes one up holds it until the
 * try must have ended. What a node that died had taken is taken up again: at least once, never twice at a time.
 */
export function createDeliverer(platform: Platform, deps: DelivererDeps): Deliverer {
  const { database, clock, log, metrics } = platform;
  const random = deps.random ?? Math.random;
  const tries = metrics.counter("ambit_outbox_tries_total", "Webhook tries, by how they ended.", ["end"]);
  const underWay = new Map<TakenRow, Promise<void>>();
  const cutting = new AbortController();
  let sweptMs = clock();

  const finish = async (taken: TakenRow, step: NextStep, status: number | null): Promise<void> => {
    const now = new Date(clock());
    await database.transaction(async (tx) => {
      const held = await settle(tx, taken, {
        state: step.state,
        nextAttemptAt: step.state === "failed" ? new Date(step.nextAttemptMs) : null,
        status,
        error: step.state === "delivered" ? null : step.error,
        now,
      });
      if (held && step.state !== "failed") recordEnd(deps.ledger, tx, taken, step.state, status);
    });
    tries.inc({ end: step.state });
    if (step.state === "dead") {
      metrics.limitsHit.inc({ limit: "outbox_attempts" });
      log.warn({ outbox: taken.id, organization: taken.organization_id }, "a webhook delivery is dead");
    }
  };

  const deliver = async (taken: TakenRow): Promise<void> => {
    const outcome = await tryOnce(platform, deps.fetch, taken, cutting.signal);
    if (outcome === null) return release(database, taken);
    const step = decideNext(taken.attempts, outcome, clock(), random());
    await finish(taken, step, outcome.kind === "answered" ? outcome.status : null);
  };

  const ticker = createTicker({
    name: "outbox",
    everyMs: limits.tickMs,
    log,
    async run() {
      const free = limits.atOnce - underWay.size;
      const taken = free === 0 ? [] : await takeDue(database, taking(clock(), free, [...underWay.keys()]));
      for (const row of taken) {
        const work = deliver(row)
          // Whoever takes it up once this node's hold on it is over tries again.
          .catch((error) => log.warn({ err: error, outbox: row.id }, "a try could not be written down"))
          .finally(() => {
            underWay.delete(row);
            ticker.wake();
          });
        underWay.set(row, work);
      }
      const now = clock();
      if (now - sweptMs >= limits.sweepMs) {
        sweptMs = now;
        await sweepEnded(database, new Date(now - limits.keptMs));
      }
    },
  });

  return {
    start: () => ticker.start(),
    wake: () => ticker.wake(),
    async stop() {
      await ticker.stop();
      const cut = setTimeout(() => cutting.abort(), limits.drainMs);
      await Promise.all(underWay.values());
      clearTimeout(cut);
    },
  };
}

function taking(nowMs: number, atOnce: number, underWay: readonly TakenRow[]) {
  const busy = new Map<string, number>();
  for (const { target_id } of underWay) busy.set(target_id, (busy.get(target_id) ?? 0) + 1);
  return {
    now: new Date(nowMs),
    leaseMs: limits.timeoutMs + limits.claimSlackMs,
    claim: newUuid(),
    atOnce,
    perTarget: limits.perTarget,
    busy,
    from: newUuid(),
  };
}
