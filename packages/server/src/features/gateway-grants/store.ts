import type { Queryable } from "../../engines/postgres/database.ts";
import { limits } from "./limits.ts";

export interface GrantRow {
  readonly id: string;
  readonly organization_id: string;
  readonly server_id: string;
  readonly policy_id: string | null;
  readonly label: string;
  readonly account_id: string;
  readonly token_hash: string;
  readonly rotation: number;
  readonly expires_at: Date | null;
  readonly created_at: Date;
  readonly rotated_at: Date | null;
  readonly revoked_at: Date | null;
  readonly last_used_at: Date | null;
}

/** A grant with what people want to see beside it. */
export interface ListedGrant extends Omit<GrantRow, "token_hash"> {
  readonly policy_name: string | null;
  /** Whether its maker is a member of the organisation. */
  readonly is_answered_for: boolean;
}

/** The unrevoked grant with this hash, or this id, whose maker is a member; expired or not. */
export async function selectLive(
  db: Queryable,
  by: { readonly hash: string } | { readonly id: string },
): Promise<GrantRow | null> {
  const [text, value] = "hash" in by ? ([LIVE_BY_HASH, by.hash] as const) : ([LIVE_BY_ID, by.id] as const);
  const [row] = await db.query<GrantRow>(text, [value]);
  return row ?? null;
}
const LIVE = `select g.* from ambit.gateway_grants g
  join ambit.members m using (organization_id, account_id) where g.revoked_at is null`;
const LIVE_BY_HASH = `${LIVE} and g.token_hash = $1`;
const LIVE_BY_ID = `${LIVE} and g.id = $1`;

export async function selectLabel(db: Queryable, id: string): Promise<string | null> {
  const [row] = await db.query<{ label: string }>("select label from ambit.gateway_grants where id = $1", [
    id,
  ]);
  return row?.label ?? null;
}

/** Ids of a server's grants, revoked or not, at most `limit`. */
export async function selectIdsOfServer(db: Queryable, serverId: string, limit: number): Promise<string[]> {
  const rows = await db.query<{ id: string }>(
    "select id from ambit.gateway_grants where server_id = $1 limit $2",
    [serverId, limit],
  );
  return rows.map(({ id }) => id);
}

const LISTED = `select g.id, g.organization_id, g.server_id, g.policy_id, g.label, g.account_id, g.rotation,
    g.expires_at, g.created_at, g.rotated_at, g.revoked_at, g.last_used_at, p.name as policy_name,
    m.account_id is not null as is_answered_for
  from ambit.gateway_grants g
  left join ambit.gateway_policies p on p.id = g.policy_id
  left join ambit.members m on m.organization_id = g.organization_id and m.account_id = g.account_id`;

/** An organisation's unrevoked grants, newest first. */
export function selectGrants(
  db: Queryable,
  organizationId: string,
  filter: { serverId: string | null; before: string | null; limit: number },
): Promise<ListedGrant[]> {
  return db.query<ListedGrant>(
    `${LISTED} where g.organization_id = $1 and g.revoked_at is null and ($2::uuid is null or g.server_id = $2)
       and ($3::text is null or g.id < $3)
     order by g.id desc limit $4`,
    [organizationId, filter.serverId, filter.before, filter.limit],
  );
}

/** One grant, revoked or not. */
export async function selectGrant(
  db: Queryable,
  organizationId: string,
  id: string,
): Promise<ListedGrant | null> {
  const [row] = await db.query<ListedGrant>(`${LISTED} where g.organization_id = $1 and g.id = $2`, [
    organizationId,
    id,
  ]);
  return row ?? null;
}

/** An unrevoked grant, held until the transaction ends. */
export async function lockGrant(tx: Queryable, organizationId: string, id: string): Promise<GrantRow | null> {
  const [row] = await tx.query<GrantRow>(
    "select * from ambit.gateway_grants where organization_id = $1 and id = $2 and revoked_at is null for update",
    [organizationId, id],
  );
  return row ?? null;
}

/** Makes those who change grants of an organisation wait for each other; taken before any grant is locked. */
export async function lockGrants(tx: Queryable, organizationId: string): Promise<void> {
  await tx.query("select pg_advisory_xact_lock(hashtextextended($1, 0))", [
    `gateway grants ${organizationId}`,
  ]);
}

export async function countGrants(tx: Queryable, serverId: string): Promise<number> {
  const [row] = await tx.query<{ count: number }>(
    "select count(*)::int as count from ambit.gateway_grants where server_id = $1 and revoked_at is null",
    [serverId],
  );
  return row!.count;
}

/**
 * Frees a label for a grant: an expired one that has it is ended for good. False when a live grant has the label. To be
 * called by one at a time (`lockGrants`).
 */
export async function freeLabel(
  tx: Queryable,
  grant: Pick<GrantRow, "id" | "server_id" | "label">,
  now: Date,
): Promise<boolean> {
  await tx.query(
    `update ambit.gateway_grants set revoked_at = $4
     where server_id = $1 and label = $2 and id <> $3 and revoked_at is null and expires_at <= $4`,
    [grant.server_id, grant.label, grant.id, now],
  );
  const taken = await tx.query(
    "select 1 from ambit.gateway_grants where server_id = $1 and label = $2 and id <> $3 and revoked_at is null",
    [grant.server_id, grant.label, grant.id],
  );
  return taken.length === 0;
}

/** Inserts the grant; false when its account is no member of its organisation. */
export async function insertGrant(
  tx: Queryable,
  grant: Pick<
    GrantRow,
    | "id"
    | "organization_id"
    | "server_id"
    | "policy_id"
    | "label"
    | "account_id"
    | "token_hash"
    | "expires_at"
    | "created_at"
  >,
): Promise<boolean> {
  const rows = await tx.query(
    `insert into ambit.gateway_grants
       (id, organization_id, server_id, policy_id, label, account_id, token_hash, expires_at, created_at)
     select $1, $2, $3, $4, $5, $6, $7, $8, $9
     where exists (select from ambit.members where organization_id = $2 and account_id = $6) returning id`,
    [
      ...[grant.id, grant.organization_id, grant.server_id, grant.policy_id, grant.label],
      ...[grant.account_id, grant.token_hash, grant.expires_at, grant.created_at],
    ],
  );
  return rows.length > 0;
}

export async function updateGrant(
  tx: Queryable,
  grant: Pick<GrantRow, "id" | "policy_id" | "label" | "expires_at">,
): Promise<void> {
  await tx.query(
    "update ambit.gateway_grants set policy_id = $2, label = $3, expires_at = $4 where id = $1",
    [grant.id, grant.policy_id, grant.label, grant.expires_at],
  );
}

export async function replaceToken(tx: Queryable, id: string, hash: string, now: Date): Promise<void> {
  await tx.query(
    `update ambit.gateway_grants set token_hash = $2, rotated_at = $3, rotation = rotation + 1 where id = $1`,
    [id, hash, now],
  );
}

export async function markRevoked(tx: Queryable, id: string, now: Date): Promise<void> {
  await tx.query("update ambit.gateway_grants set revoked_at = $2 where id = $1", [id, now]);
}

/** Unrevoked grants that have a policy. */
export function selectUsers(db: Queryable, policyId: string): Promise<{ id: string; label: string }[]> {
  return db.query(
    `select id, label from ambit.gateway_grants where policy_id = $1 and revoked_at is null
     order by id limit $2`,
    [policyId, limits.users],
  );
}

/**
 * Writes last uses, unless one was written not long before. What somebody is changing right now is left out. Answers what is
 * written of each of them, now or before.
 */
export function touchGrants(
  db: Queryable,
  uses: readonly (readonly [id: string, atMs: number])[],
): Promise<{ id: string; last_used_at: Date }[]> {
  return db.query(
    `with given (id, at) as (select * from unnest($1::text[], $2::timestamptz[])),
     due as (
       select given.id, given.at from given join ambit.gateway_grants o on o.id = given.id
       where o.last_used_at is null or o.last_used_at <= given.at - $3::float8 * interval '1 millisecond'
       order by given.id for update of o skip locked),
     written as (
       update ambit.gateway_grants g set last_used_at = due.at from due where g.id = due.id
       returning g.id, g.last_used_at)
     select id, last_used_at from written
     union all
     select g.id, g.last_used_at from ambit.gateway_grants g join given using (id)
     where g.last_used_at is not null and not exists (select from written where written.id = g.id)`,
    [uses.map(([id]) => id), uses.map(([, atMs]) => new Date(atMs).toISOString()), limits.lastUsedEveryMs],
  );
}
