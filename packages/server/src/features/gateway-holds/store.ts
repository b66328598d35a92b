import type { Reservation } from "@ambit/policy";
import type { Queryable } from "../../engines/postgres/database.ts";
import { limits } from "./limits.ts";
import type { HoldStatus } from "./state.ts";

/** A held call; what is sealed stays sealed. */
export interface HoldRow {
  readonly id: string;
  readonly organization_id: string;
  readonly grant_id: string;
  readonly server_id: string;
  readonly tool: string;
  readonly call_key: string;
  readonly approval_id: string;
  readonly policy_id: string;
  readonly policy_version: number;
  readonly rule: string;
  readonly reservations: readonly Reservation[];
  readonly status: HoldStatus;
  readonly expires_at: Date;
  readonly approved_until: Date | null;
  readonly running_since: Date | null;
  readonly running_until: Date | null;
  readonly ended_at: Date | null;
  readonly reason: string | null;
  readonly result: string | null;
  readonly told_at: Date | null;
}

const COLUMNS =
  "id, organization_id, grant_id, server_id, tool, call_key, approval_id, policy_id, policy_version, rule, reservations, status, expires_at, approved_until, running_since, running_until, ended_at, reason, result, told_at";

const one = async (rows: Promise<HoldRow[]>): Promise<HoldRow | null> => (await rows)[0] ?? null;

/** Inserts a hold; false when the same call waits, is approved or runs. Waits for a transaction that decides that. */
export async function insertHold(
  tx: Queryable,
  hold: Pick<
    HoldRow,
    | "id"
    | "organization_id"
    | "grant_id"
    | "server_id"
    | "tool"
    | "call_key"
    | "policy_id"
    | "policy_version"
    | "rule"
    | "reservations"
    | "expires_at"
  >,
  now: Date,
): Promise<boolean> {
  const rows = await tx.query(
    `insert into ambit.gateway_holds (id, organization_id, grant_id, server_id, tool, call_key, policy_id,
       policy_version, rule, reservations, created_at, expires_at) values ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12)
     on conflict (call_key) where status in ('pending', 'approved', 'running') do nothing returning id`,
    [
      hold.id,
      hold.organization_id,
      hold.grant_id,
      hold.server_id,
      hold.tool,
      hold.call_key,
      hold.policy_id,
      hold.policy_version,
      hold.rule,
      JSON.stringify(hold.reservations),
      now,
      hold.expires_at,
    ],
  );
  return rows.length === 1;
}

export async function setApproval(tx: Queryable, id: string, approvalId: string): Promise<void> {
  await tx.query("update ambit.gateway_holds set approval_id = $2 where id = $1", [id, approvalId]);
}

export const selectHold = (db: Queryable, id: string): Promise<HoldRow | null> =>
  one(db.query(`select ${COLUMNS} from ambit.gateway_holds where id = $1`, [id]));

/** The one that waits, is approved or runs, or else the latest. */
export const selectOfCall = (db: Queryable, key: string): Promise<HoldRow | null> =>
  one(
    db.query(
      `select ${COLUMNS} from ambit.gateway_holds where call_key = $1
       order by (ended_at is null) desc, created_at desc, id desc limit 1`,
      [key],
    ),
  );

/** pending → approved. Null when it waits no more; so with all below. */
export const setApproved = (tx: Queryable, id: string, until: Date): Promise<HoldRow | null> =>
  one(
    tx.query(
      `update ambit.gateway_holds set status = 'approved', approved_until = $2
       where id = $1 and status = 'pending' returning ${COLUMNS}`,
      [id, until],
    ),
  );

/** From one of the states given to an end. */
export const setEnded = (
  tx: Queryable,
  id: string,
  from: readonly HoldStatus[],
  end: { status: "rejected" | "expired" | "cancelled"; reason: string | null; at: Date },
): Promise<HoldRow | null> =>
  one(
    tx.query(
      `update ambit.gateway_holds set status = $3, reason = $4, ended_at = $5
       where id = $1 and status = any($2) returning ${COLUMNS}`,
      [id, from, end.status, end.reason, end.at],
    ),
  );

/** approved → running, for exactly one caller. */
export const setRunning = (db: Queryable, id: string, now: Date): Promise<HoldRow | null> =>
  one(
    db.query(
      `update ambit.gateway_holds set status = 'running', running_since = $2, running_until = $3
       where id = $1 and status = 'approved' and approved_until > $2 returning ${COLUMNS}`,
      [id, now, new Date(now.getTime() + limits.silentMs)],
    ),
  );

/** The calls this node runs are running still. */
export async function renewRunning(db: Queryable, ids: readonly string[], until: Date): Promise<void> {
  await db.query(
    "update ambit.gateway_holds set running_until = $2 where id = any($1) and status = 'running'",
    [ids, until],
  );
}

/** running → approved: it never ran. */
export const setApprovedAgain = (tx: Queryable, id: string): Promise<HoldRow | null> =>
  one(
    tx.query(
      `update ambit.gateway_holds set status = 'approved', running_since = null, running_until = null
       where id = $1 and status = 'running' returning ${COLUMNS}`,
      [id],
    ),
  );

/** running, or thought lost → executed. */
export const setExecuted = (
  tx: Queryable,
  id: string,
  result: string | null,
  at: Date,
): Promise<HoldRow | null> =>
  one(
    tx.query(
      `update ambit.gateway_holds set status = 'executed', result = $2, ended_at = $3
       where id = $1 and status in ('running', 'unknown') returning ${COLUMNS}`,
      [id, result, at],
    ),
  );

/** running, and silent for too long → unknown. */
export const setUnknown = (tx: Queryable, id: string, now: Date): Promise<HoldRow | null> =>
  one(
    tx.query(
      `update ambit.gateway_holds set status = 'unknown', ended_at = $2
       where id = $1 and status = 'running' and running_until <= $2 returning ${COLUMNS}`,
      [id, now],
    ),
  );

/** True for the one who is to tell. */
export async function setTold(db: Queryable, id: string, now: Date): Promise<boolean> {
  const rows = await db.query(
    `update ambit.gateway_holds set told_at = $2
     where id = $1 and status = 'unknown' and told_at is null returning id`,
    [id, now],
  );
  return rows.length === 1;
}

/** Adds a good nonce to those of an approval's hold, the oldest going. Null when there is no such hold. */
export const addNonce = (db: Queryable, approvalId: string, nonce: string): Promise<HoldRow | null> =>
  one(
    db.query(
      `update ambit.gateway_holds
       set nonces = array_append(nonces[greatest(1, cardinality(nonces) - ${limits.states - 2}):], $2)
       where approval_id = $1 returning ${COLUMNS}`,
      [approvalId, nonce],
    ),
  );

/** Uses a nonce up; true once. */
export async function takeNonce(db: Queryable, approvalId: string, nonce: string): Promise<boolean> {
  const rows = await db.query(
    `update ambit.gateway_holds set nonces = array_remove(nonces, $2)
     where approval_id = $1 and $2 = any(nonces) returning id`,
    [approvalId, nonce],
  );
  return rows.length === 1;
}

/** An approved call nobody repeated in time, or a running one that has been silent for too long; none of `skip`. */
export const selectOver = (
  db: Queryable,
  now: Date,
  skip: readonly string[],
): Promise<{ id: string; status: "approved" | "running" }[]> =>
  db.query(
    `select id, status from ambit.gateway_holds
     where ((status = 'approved' and approved_until <= $1) or (status = 'running' and running_until <= $1))
       and id <> all($2) limit 1`,
    [now, skip],
  );

/** approved, and not repeated in time → expired. */
export const setLapsed = (tx: Queryable, id: string, now: Date): Promise<HoldRow | null> =>
  one(
    tx.query(
      `update ambit.gateway_holds set status = 'expired', ended_at = $2
       where id = $1 and status = 'approved' and approved_until <= $2 returning ${COLUMNS}`,
      [id, now],
    ),
  );

/** Results that are not given out any more. */
export async function eraseResults(db: Queryable, endedBefore: Date): Promise<void> {
  await db.query(
    `update ambit.gateway_holds set result = null where id in (select id from ambit.gateway_holds
       where result is not null and ended_at <= $1 limit ${limits.tidyRows} for update skip locked)`,
    [endedBefore],
  );
}

export async function deleteEnded(db: Queryable, endedBefore: Date): Promise<void> {
  await db.query(
    `delete from ambit.gateway_holds where id in (select id from ambit.gateway_holds
       where ended_at <= $1 limit ${limits.tidyRows} for update skip locked)`,
    [endedBefore],
  );
}

/** What waits or is approved of a grant, or of a server (the other null). */
export const selectWaiting = (
  db: Queryable,
  of: { grantId: string | null; serverId: string | null },
): Promise<{ id: string; organization_id: string }[]> =>
  db.query(
    `select id, organization_id from ambit.gateway_holds
     where status in ('pending', 'approved') and ($1::text is null or grant_id = $1)
       and ($2::uuid is null or server_id = $2) order by id`,
    [of.grantId, of.serverId],
  );

export async function selectGrants(db: Queryable, after: string, limit: number): Promise<string[]> {
  const rows = await db.query<{ grant_id: string }>(
    `select distinct grant_id from ambit.gateway_holds
     where status in ('pending', 'approved') and grant_id > $1 order by grant_id limit $2`,
    [after, limit],
  );
  return rows.map(({ grant_id }) => grant_id);
}
