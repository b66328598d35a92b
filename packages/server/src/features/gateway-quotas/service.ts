import type { Reservation } from "@ambit/policy";
import type { Platform } from "../../engines/platform.ts";
import type { Transaction } from "../../engines/postgres/database.ts";
import { type AmbitError, errors } from "../../kernel/errors.ts";
import { createTicker } from "../../kernel/ticker.ts";
import { createBatcher } from "./batcher.ts";
import { quotaErrors } from "./errors.ts";
import { limits } from "./limits.ts";
import { planGiveBack, planReserve, storedKey, uncountable } from "./plan.ts";
import * as store from "./store.ts";
import type { GatewayQuotasService, Reserved } from "./types.ts";

export * from "./types.ts";

/** The counters with what starts and stops them. */
export interface GatewayQuotas extends GatewayQuotasService {
  /** Removes a batch of what ended long ago; true when there may be more. */
  sweep(): Promise<boolean>;
  start(): void;
  /** Ends what is under way. */
  stop(): Promise<void>;
}

type Reservations = readonly Reservation[];
const RESERVED: Reserved = Object.freeze({ ok: true });

const unavailable = (cause?: unknown): AmbitError =>
  errors.DATABASE_UNAVAILABLE({
    message: "The limits of this call could not be counted.",
    headers: { "Retry-After": "1" },
    ...(cause === undefined ? {} : { cause }),
  });

export function createQuotasService(platform: Platform): GatewayQuotas {
  const { database, clock, log, metrics } = platform;

  const limitsOfBatches = {
    ...{ waitMs: limits.waitMs, batchesAtOnce: limits.statementsAtOnce, unanswered: limits.unanswered },
    ...{ batchWeight: limits.batchReservations, queueItems: limits.queueCalls },
  };
  const full = () => {
    metrics.limitsHit.inc({ limit: "gateway_counter_queue" });
    return quotaErrors.GATEWAY_COUNTERS_BUSY({ headers: { "Retry-After": "1" } });
  };
  const shared = {
    ...{ limits: limitsOfBatches, full, late: () => unavailable() },
    weightOf: (reservations: Reservations) => reservations.length,
  };
  const counting = async <T>(what: string, work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      log.warn({ err: error }, what);
      throw unavailable(error);
    }
  };

  const back = createBatcher<Reservations, true>({
    ...shared,
    ask: (batch) =>
      counting("quota could not be given back", async () => {
        await store.giveBackAll(database, planGiveBack(batch.flat()), true);
        return batch.map(() => true);
      }),
    onLate: () => {},
  });
  const out = createBatcher<Reservations, Reserved>({
    ...shared,
    ask: (batch) =>
      counting("limits could not be counted", async () => {
        const refused = await store.reserveAll(database, planReserve(batch));
        return batch.map((reservations, index): Reserved => {
          const place = refused[index]!;
          return place === 0 ? RESERVED : { ok: false, refused: reservations[place - 1]! };
        });
      }),
    // The call was denied by then and never ran.
    onLate(reservations, answer) {
      if (answer.ok) back.add(reservations).catch(() => {});
    },
  });

  const sweep = async () =>
    (await store.sweepEnded(database, new Date(clock() - limits.keptMs))) === limits.sweepRows;
  const ticker = createTicker({ name: "gateway.quotas", everyMs: limits.sweepEveryMs, log, run: sweep });

  return {
    async reserve(reservations) {
      if (reservations.length === 0) return RESERVED;
      const hopeless = uncountable(reservations);
      if (hopeless !== null) return { ok: false, refused: hopeless };
      if (reservations.length > limits.reservationsPerCall) {
        metrics.limitsHit.inc({ limit: "gateway_reservations_per_call" });
        return { ok: false, refused: reservations[limits.reservationsPerCall]! };
      }
      return out.add(reservations);
    },
    async giveBack(reservations) {
      if (reservations.length > 0) await back.add(reservations);
    },
    giveBackIn: createGiveBackIn(),
    async used(keyPrefix, nowMs) {
      const rows = await store.selectUsed(database, storedKey(keyPrefix), new Date(nowMs));
      return rows.map(({ key, window_start, used }) => ({
        key,
        windowStart: window_start,
        used: Number(used),
      }));
    },
    sweep,
    start: () => ticker.start(),
    async stop() {
      await ticker.stop();
      await out.settled();
      await back.settled();
    },
  };
}

/**
 * Counters are locked at the end of a transaction and all at once: in the one order, and for as short as can be. What a
 * part that is undone (a savepoint) wanted given back is not.
 */
function createGiveBackIn(): GatewayQuotasService["giveBackIn"] {
  const ready = new WeakMap<Transaction, Reservation[]>();
  return async (tx, reservations) => {
    tx.beforeCommit(async () => {
      const waiting = ready.get(tx);
      if (waiting !== undefined) {
        waiting.push(...reservations);
        return;
      }
      const together = [...reservations];
      ready.set(tx, together);
      // Takes its turn when those of all the others have begun.
      tx.beforeCommit(async (last) => {
        ready.delete(tx);
        await store.giveBackAll(last, planGiveBack(together), false);
      });
    });
  };
}
