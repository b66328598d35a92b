import type { Queryable } from "../../engines/postgres/database.ts";

/** How a webhook's event stands: it is the caller's to handle, was handled before, or is being handled elsewhere. */
export type EventStanding = "claimed" | "handled" | "in_progress";

/** Claims an event until `until`; a claim whose time is over is taken over. */
export async function claimEvent(
  db: Queryable,
  functionId: string,
  eventId: string,
  now: Date,
  until: Date,
): Promise<EventStanding> {
  const claimed = await db.query(
    `insert into ambit.function_events as e (function_id, event_id, handled, expires_at)
     values ($1, $2, false, $4)
     on conflict (function_id, event_id) do update set handled = false, expires_at = excluded.expires_at
       where e.expires_at <= $3 returning 1`,
    [functionId, eventId, now, until],
  );
  if (claimed.length > 0) return "claimed";
  const [row] = await db.query<{ handled: boolean }>(
    "select handled from ambit.function_events where function_id = $1 and event_id = $2",
    [functionId, eventId],
  );
  return row?.handled === true ? "handled" : "in_progress";
}

/** The event was handled: it is remembered until `until`. */
export async function settleEvent(
  db: Queryable,
  functionId: string,
  eventId: string,
  until: Date,
): Promise<void> {
  await db.query(
    "update ambit.function_events set handled = true, expires_at = $3 where function_id = $1 and event_id = $2",
    [functionId, eventId, until],
  );
}

/** The event was not handled: its sender may try again. */
export async function releaseEvent(db: Queryable, functionId: string, eventId: string): Promise<void> {
  await db.query(
    "delete from ambit.function_events where function_id = $1 and event_id = $2 and not handled",
    [functionId, eventId],
  );
}

/** Claims a key once until `until`; false when it is taken. */
export async function claimKey(
  db: Queryable,
  claim: { appId: string; scope: string; key: string; now: Date; until: Date },
): Promise<boolean> {
  const claimed = await db.query(
    `insert into ambit.function_claims as c (app_id, scope, key, expires_at) values ($1, $2, $3, $5)
     on conflict (app_id, scope, key) do update set expires_at = excluded.expires_at
       where c.expires_at <= $4 returning 1`,
    [claim.appId, claim.scope, claim.key, claim.now, claim.until],
  );
  return claimed.length > 0;
}

/** Forgets what has expired. */
export async function sweepClaims(db: Queryable, now: Date): Promise<void> {
  await db.query("delete from ambit.function_events where expires_at <= $1", [now]);
  await db.query("delete from ambit.function_claims where expires_at <= $1", [now]);
}
