import type { Queryable } from "../../engines/postgres/database.ts";
import { limits } from "./limits.ts";
import type { GiveBackPlan, ReservePlan } from "./plan.ts";

/** Per request 0, or which of its reservations, counting from 1, had no room; then nothing of it was reserved. */
export async function reserveAll(db: Queryable, plan: ReservePlan): Promise<readonly number[]> {
  const [row] = await db.query<{ refused: number[] }>(
    "select ambit.gateway_reserve($1, $2, $3, $4, $5, $6, $7, $8) as refused",
    [plan.keys, plan.starts, plan.ends, plan.requests, plan.counters, plan.costs, plan.maxima, limits.lockMs],
  );
  return row!.refused;
}

/** `alone`: not as a part of a transaction. */
export async function giveBackAll(db: Queryable, plan: GiveBackPlan, alone: boolean): Promise<void> {
  if (plan.keys.length === 0) return;
  await db.query("select ambit.gateway_give_back($1, $2, $3, $4)", [
    plan.keys,
    plan.starts,
    plan.costs,
    alone ? limits.lockMs : null,
  ]);
}

export interface CounterRow {
  readonly key: string;
  readonly window_start: Date;
  /** A bigint. */
  readonly used: string;
}

/** Counters whose key begins so and whose window is the present one. */
export function selectUsed(db: Queryable, keyPrefix: string, now: Date): Promise<CounterRow[]> {
  return db.query<CounterRow>(
    `select key, window_start, used from ambit.gateway_counters
     where key >= $1 and key < $2 and window_start <= $3 and window_end > $3
     order by key, window_start limit $4`,
    [keyPrefix, `${keyPrefix}\u{10ffff}`, now, limits.shownCounters],
  );
}

/** Removes a batch of counters whose windows ended before then; how many. What somebody is using stays. */
export async function sweepEnded(db: Queryable, before: Date): Promise<number> {
  const rows = await db.query(
    `delete from ambit.gateway_counters c using (
       select key, window_start from ambit.gateway_counters where window_end < $1
       order by window_end limit $2 for update skip locked) old
     where c.key = old.key and c.window_start = old.window_start returning 1`,
    [before, limits.sweepRows],
  );
  return rows.length;
}
