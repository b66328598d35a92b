import type { Queryable } from "../../engines/postgres/database.ts";
import { limits } from "./limits.ts";

export const STATES = ["pending", "failed", "delivered", "dead", "cancelled"] as const;
export type State = (typeof STATES)[number];

export interface OutboxRow {
  readonly id: string;
  readonly organization_id: string;
  readonly target_id: string;
  readonly target_app_id: string | null;
  readonly target_url: string;
  readonly capability: string;
  readonly subject: string;
  readonly source_app_id: string | null;
  readonly delivery_id: string;
  readonly body: string | null;
  readonly state: State;
  readonly attempts: number;
  readonly next_attempt_at: Date | null;
  readonly claim: string | null;
  readonly leased_until: Date | null;
  readonly last_status: number | null;
  readonly last_error: string | null;
  readonly created_at: Date;
  readonly updated_at: Date;
  readonly delivered_at: Date | null;
}

export async function insertRow(
  tx: Queryable,
  row: Pick<
    OutboxRow,
    | "id"
    | "organization_id"
    | "target_id"
    | "target_app_id"
    | "target_url"
    | "capability"
    | "subject"
    | "source_app_id"
    | "delivery_id"
    | "body"
  >,
  now: Date,
): Promise<void> {
  await tx.query(
    `insert into ambit.outbox (id, organization_id, target_id, target_app_id, target_url, capability, subject,
       source_app_id, delivery_id, body, state, next_attempt_at, created_at, updated_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'pending', $11, $11, $11)`,
    [
      row.id,
      row.organization_id,
      row.target_id,
      row.target_app_id,
      row.target_url,
      row.capability,
      row.subject,
      row.source_app_id,
      row.delivery_id,
      row.body,
      now,
    ],
  );
}

/** Newest first. `apps` null: whatever caused it. */
export function selectRows(
  db: Queryable,
  organizationId: string,
  filter: {
    state: State | null;
    capability: string | null;
    apps: readonly string[] | null;
    before: string | null;
    limit: number;
  },
): Promise<OutboxRow[]> {
  return db.query<OutboxRow>(
    `select * from ambit.outbox
     where organization_id = $1 and ($2::text is null or state = $2) and ($3::text is null or capability = $3)
       and ($4::text[] is null or source_app_id = any ($4)) and ($5::text is null or id < $5)
     order by id desc limit $6`,
    [organizationId, filter.state, filter.capability, filter.apps, filter.before, filter.limit],
  );
}

/** One row, held until the transaction ends, or null. */
export async function holdRow(tx: Queryable, organizationId: string, id: string): Promise<OutboxRow | null> {
  const [row] = await tx.query<OutboxRow>(
    "select * from ambit.outbox where organization_id = $1 and id = $2 for update",
    [organizationId, id],
  );
  return row ?? null;
}

/** Starts a delivery anew, towards the target as it is now. */
export async function restartRow(
  tx: Queryable,
  id: string,
  target: { id: string; url: string },
  now: Date,
): Promise<OutboxRow> {
  const [row] = await tx.query<OutboxRow>(
    `update ambit.outbox set state = 'pending', attempts = 0, next_attempt_at = $4, target_id = $2, target_url = $3,
       updated_at = $4 where id = $1 returning *`,
    [id, target.id, target.url, now],
  );
  return row!;
}

export async function cancelRow(tx: Queryable, id: string, now: Date): Promise<OutboxRow> {
  const [row] = await tx.query<OutboxRow>(
    `update ambit.outbox set state = 'cancelled', next_attempt_at = null, updated_at = $2 where id = $1 returning *`,
    [id, now],
  );
  return row!;
}

/** What waited for a target that is no more. A try under way ends as it ends, and changes nothing any more. */
export async function cancelWaiting(tx: Queryable, targetId: string, now: Date): Promise<number> {
  const rows = await tx.query(
    `update ambit.outbox set state = 'cancelled', next_attempt_at = null, claim = null, leased_until = null,
       last_error = 'The target was removed.', updated_at = $2
     where target_id = $1 and state in ('pending', 'failed') returning id`,
    [targetId, now],
  );
  return rows.length;
}

/** Removes everything about these subjects. */
export async function deleteAbout(
  tx: Queryable,
  organizationId: string,
  subjects: readonly string[],
): Promise<number> {
  const rows = await tx.query(
    "delete from ambit.outbox where organization_id = $1 and subject = any ($2::text[]) returning id",
    [organizationId, subjects],
  );
  return rows.length;
}

/** Removes a batch of what ended long ago. */
export async function sweepEnded(db: Queryable, before: Date): Promise<void> {
  await db.query(
    `delete from ambit.outbox where id in (
       select id from ambit.outbox
       where state in ('delivered', 'dead', 'cancelled') and updated_at < $1 limit $2)`,
    [before, limits.sweepRows],
  );
}
