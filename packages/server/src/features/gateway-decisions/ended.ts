import type { Platform } from "../../engines/platform.ts";
import { AmbitError } from "../../kernel/errors.ts";
import { createTicker } from "../../kernel/ticker.ts";
import type { JsonObject, LedgerService } from "../ledger/service.ts";
import { limits } from "./limits.ts";
import { insertEnded } from "./store.ts";
import type { UpstreamOutcome } from "./types.ts";

/** Takes how calls ended and writes it, many together. */
export interface EndedCalls {
  add(outcome: UpstreamOutcome): void;
  start(): void;
  /** Writes what waits. */
  stop(): Promise<void>;
}

/**
 * What is added is written within a second, together with an entry in the ledger. While the database can't be reached it
 * waits, as much as `limits.queuedOutcomes`; beyond that the newest are not kept, which is counted.
 */
export function createEndedCalls(platform: Platform, ledger: Pick<LedgerService, "append">): EndedCalls {
  const { database, log, metrics } = platform;
  let queue: UpstreamOutcome[] = [];

  /** Writes the next ones, of each organisation by themselves; whether there are more. */
  const flush = async (): Promise<boolean> => {
    const batch = queue.slice(0, limits.flushedOutcomes);
    for (const [organizationId, ended] of byOrganization(batch)) {
      try {
        await write(organizationId, ended);
      } catch (error) {
        // What can't ever be written must not keep the others from it.
        if (!(error instanceof AmbitError) || error.status >= 500) throw error;
        log.error({ err: error, calls: ended.length }, "how calls ended could not be recorded");
      }
      const done = new Set(ended);
      queue = queue.filter((each) => !done.has(each));
    }
    return queue.length >= limits.flushedOutcomes;
  };

  const write = (organizationId: string, ended: readonly UpstreamOutcome[]): Promise<void> =>
    database.transaction(async (tx) => {
      const written = await insertEnded(tx, ended);
      const calls = ended.filter(({ decisionId }) => written.has(decisionId)).map(asData);
      for (let first = 0; first < calls.length; first += limits.outcomesPerEntry)
        ledger.append(tx, {
          ...{ kind: "gateway.ended", organizationId, actor: { type: "system", id: null } },
          data: { calls: calls.slice(first, first + limits.outcomesPerEntry) },
        });
    });

  const ticker = createTicker({ name: "gateway.ended", everyMs: limits.flushEveryMs, log, run: flush });
  return {
    add(outcome) {
      if (queue.length >= limits.queuedOutcomes) {
        metrics.limitsHit.inc({ limit: "gateway_ended_queue" });
        return;
      }
      queue.push(bounded(outcome));
      if (queue.length === limits.flushedOutcomes) ticker.wake();
    },
    start: () => ticker.start(),
    async stop() {
      await ticker.stop();
      try {
        while (queue.length > 0) await flush();
      } catch (error) {
        log.warn({ err: error, calls: queue.length }, "how the last calls ended was not written");
      }
    },
  };
}

const asData = ({ decisionId, status, latencyMs, problem }: UpstreamOutcome): JsonObject => ({
  ...{ decision_id: decisionId, status, latency_ms: latencyMs, problem },
});

/** As it can be written: whole microseconds, and a problem in plain characters. Pure. */
export function bounded(outcome: UpstreamOutcome): UpstreamOutcome {
  const { status, latencyMs, problem } = outcome;
  return {
    ...outcome,
    status: Number.isInteger(status) && status >= 0 && status < 1_000 ? status : 0,
    latencyMs: Number.isFinite(latencyMs) && latencyMs >= 0 ? Math.round(latencyMs * 1_000) / 1_000 : 0,
    problem: problem === null ? null : problem.slice(0, limits.problemChars).replace(/[^ -~]/g, "?"),
  };
}

function byOrganization(outcomes: readonly UpstreamOutcome[]): Map<string, UpstreamOutcome[]> {
  const found = new Map<string, UpstreamOutcome[]>();
  for (const outcome of outcomes) {
    const those = found.get(outcome.organizationId);
    if (those === undefined) found.set(outcome.organizationId, [outcome]);
    else those.push(outcome);
  }
  return found;
}
