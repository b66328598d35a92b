import type { Queryable } from "../../engines/postgres/database.ts";
import type { OutboxRow, State } from "./store.ts";

/** A delivery this node has taken up, and where it goes. */
export interface TakenRow extends OutboxRow {
  readonly body: string;
  readonly claim: string;
  readonly sealed_secret: string;
}

export interface Taking {
  readonly now: Date;
  readonly leaseMs: number;
  readonly claim: string;
  /** How many to take at most, in all and of one target. */
  readonly atOnce: number;
  readonly perTarget: number;
  /** How many tries to a target are under way on this node already. */
  readonly busy: ReadonlyMap<string, number>;
  /** A target's id: the search begins after it, so that no target is always the last. */
  readonly from: string;
}

/**
 * Takes up deliveries that are due and that no other node holds, of each waiting target at most what it may have at
 * once. The targets are found by skipping along the index, so the cost goes with their number and not with how much
 * waits for one of them. A node that holds too long, or died, loses what it took.
 */
export function takeDue(db: Queryable, taking: Taking): Promise<TakenRow[]> {
  return db.query<TakenRow>(
    `with recursive waiting (target_id) as (
       (select target_id from ambit.outbox where state in ('pending', 'failed') order by target_id limit 1)
       union all
       select (select o.target_id from ambit.outbox o
               where o.state in ('pending', 'failed') and o.target_id > w.target_id order by o.target_id limit 1)
       from waiting w where w.target_id is not null),
     due as (
       select d.id
       from (select target_id from waiting where target_id is not null
             order by target_id <= $7, target_id) w
       left join unnest($5::uuid[], $6::int[]) as busy (target_id, tries) on busy.target_id = w.target_id
       cross join lateral (
         select o.id from ambit.outbox o
         where o.target_id = w.target_id and o.state in ('pending', 'failed') and o.next_attempt_at <= $1
           and (o.leased_until is null or o.leased_until <= $1)
         order by o.next_attempt_at limit greatest(0, $4::int - coalesce(busy.tries, 0))
         for update skip locked) d
       limit $3)
     update ambit.outbox o
     set claim = $2, leased_until = $1::timestamptz + $8::float8 * interval '1 millisecond', attempts = o.attempts + 1,
       target_url = t.webhook_url
     from due, ambit.outbox_targets t
     where o.id = due.id and t.id = o.target_id
     returning o.*, t.sealed_secret`,
    [
      taking.now,
      taking.claim,
      taking.atOnce,
      taking.perTarget,
      [...taking.busy.keys()],
      [...taking.busy.values()],
      taking.from,
      taking.leaseMs,
    ],
  );
}

/** Writes down how a try ended; false when the delivery is no longer this node's. */
export async function settle(
  tx: Queryable,
  taken: Pick<TakenRow, "id" | "claim">,
  end: {
    readonly state: State;
    readonly nextAttemptAt: Date | null;
    readonly status: number | null;
    readonly error: string | null;
    readonly now: Date;
  },
): Promise<boolean> {
  const rows = await tx.query(
    `update ambit.outbox
     set state = $3, next_attempt_at = $4, last_status = $5, last_error = $6, updated_at = $7, claim = null,
       leased_until = null, delivered_at = case when $3 = 'delivered' then $7::timestamptz end,
       body = case when $3 = 'delivered' then null else body end
     where id = $1 and claim = $2 returning id`,
    [taken.id, taken.claim, end.state, end.nextAttemptAt, end.status, end.error, end.now],
  );
  return rows.length > 0;
}

/** Gives a delivery back untried, e.g. because this node stops. */
export async function release(db: Queryable, taken: Pick<TakenRow, "id" | "claim">): Promise<void> {
  await db.query(
    `update ambit.outbox set claim = null, leased_until = null, attempts = attempts - 1
     where id = $1 and claim = $2`,
    [taken.id, taken.claim],
  );
}
