import type { Queryable } from "../../engines/postgres/database.ts";

export interface ConnectionRow {
  readonly server_id: string;
  readonly url: string;
  readonly issuer: string;
  readonly sealed: string;
  readonly scope: string | null;
  readonly expires_at: Date | null;
  readonly problem: string | null;
  readonly renewed_at: Date;
  readonly connected_at: Date;
}

const CONNECTION = "server_id, url, issuer, sealed, scope, expires_at, problem, renewed_at, connected_at";

export async function selectConnection(db: Queryable, serverId: string): Promise<ConnectionRow | null> {
  const [row] = await db.query<ConnectionRow>(
    `select ${CONNECTION} from ambit.gateway_oauth where server_id = $1`,
    [serverId],
  );
  return row ?? null;
}

/** The same, locked: whoever renews does so alone, on whatever node. */
export async function lockConnection(db: Queryable, serverId: string): Promise<ConnectionRow | null> {
  const [row] = await db.query<ConnectionRow>(
    `select ${CONNECTION} from ambit.gateway_oauth where server_id = $1 for update`,
    [serverId],
  );
  return row ?? null;
}

export async function upsertConnection(
  db: Queryable,
  row: Pick<ConnectionRow, "server_id" | "url" | "issuer" | "sealed" | "scope" | "expires_at"> & {
    readonly organization_id: string;
    readonly account_id: string;
    readonly at: Date;
  },
): Promise<void> {
  await db.query(
    `insert into ambit.gateway_oauth
       (server_id, organization_id, url, issuer, sealed, scope, expires_at, renewed_at, connected_at, account_id)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9)
     on conflict (server_id) do update set url = excluded.url, issuer = excluded.issuer, sealed = excluded.sealed,
       scope = excluded.scope, expires_at = excluded.expires_at, problem = null, renewed_at = excluded.renewed_at,
       connected_at = excluded.connected_at, account_id = excluded.account_id`,
    [
      ...[
        row.server_id,
        row.organization_id,
        row.url,
        row.issuer,
        row.sealed,
        row.scope,
        row.expires_at,
        row.at,
      ],
      row.account_id,
    ],
  );
}

export async function updateTokens(
  db: Queryable,
  serverId: string,
  row: {
    readonly sealed: string;
    readonly scope: string | null;
    readonly expires_at: Date | null;
    readonly at: Date;
  },
): Promise<void> {
  await db.query(
    `update ambit.gateway_oauth set sealed = $2, scope = $3, expires_at = $4, renewed_at = $5, problem = null
     where server_id = $1`,
    [serverId, row.sealed, row.scope, row.expires_at, row.at],
  );
}

export async function updateProblem(db: Queryable, serverId: string, problem: string): Promise<void> {
  await db.query("update ambit.gateway_oauth set problem = $2 where server_id = $1", [serverId, problem]);
}

/** True when there was one. */
export async function deleteConnection(db: Queryable, serverId: string): Promise<boolean> {
  const rows = await db.query("delete from ambit.gateway_oauth where server_id = $1 returning server_id", [
    serverId,
  ]);
  return rows.length === 1;
}

export interface StartRow {
  readonly state_hash: string;
  readonly server_id: string;
  readonly organization_id: string;
  readonly account_id: string;
  readonly sealed: string;
}

const START = "state_hash, server_id, organization_id, account_id, sealed";

export async function countStarts(db: Queryable, serverId: string, now: Date): Promise<number> {
  const [row] = await db.query<{ count: number }>(
    "select count(*)::int as count from ambit.gateway_oauth_starts where server_id = $1 and expires_at > $2",
    [serverId, now],
  );
  return row?.count ?? 0;
}

export async function insertStart(
  db: Queryable,
  row: StartRow & { readonly expires_at: Date },
): Promise<void> {
  await db.query(
    `insert into ambit.gateway_oauth_starts (${START}, expires_at) values ($1, $2, $3, $4, $5, $6)`,
    [row.state_hash, row.server_id, row.organization_id, row.account_id, row.sealed, row.expires_at],
  );
}

/** The consent with this state to which no browser has come back yet, locked. */
export async function lockStart(db: Queryable, stateHash: string, now: Date): Promise<StartRow | null> {
  const [row] = await db.query<StartRow>(
    `select ${START} from ambit.gateway_oauth_starts
     where state_hash = $1 and expires_at > $2 and confirmation_hash is null for update`,
    [stateHash, now],
  );
  return row ?? null;
}

export async function updateReturned(
  db: Queryable,
  stateHash: string,
  sealed: string,
  confirmationHash: string,
): Promise<void> {
  await db.query(
    "update ambit.gateway_oauth_starts set sealed = $2, confirmation_hash = $3 where state_hash = $1",
    [stateHash, sealed, confirmationHash],
  );
}

/** Takes the account's consent with this confirmation: it can be used once. */
export async function takeConfirmed(
  db: Queryable,
  serverId: string,
  accountId: string,
  confirmationHash: string,
  now: Date,
): Promise<StartRow | null> {
  const [row] = await db.query<StartRow>(
    `delete from ambit.gateway_oauth_starts
     where server_id = $1 and account_id = $2 and confirmation_hash = $3 and expires_at > $4 returning ${START}`,
    [serverId, accountId, confirmationHash, now],
  );
  return row ?? null;
}

/** A wrong confirmation: counts against all of the account's consents that wait for one; those with too many are gone. */
export async function countWrong(
  db: Queryable,
  serverId: string,
  accountId: string,
  most: number,
): Promise<void> {
  await db.query(
    `update ambit.gateway_oauth_starts set attempts = attempts + 1
     where server_id = $1 and account_id = $2 and confirmation_hash is not null`,
    [serverId, accountId],
  );
  await db.query(
    "delete from ambit.gateway_oauth_starts where server_id = $1 and account_id = $2 and attempts >= $3",
    [serverId, accountId, most],
  );
}

export async function deleteStart(db: Queryable, stateHash: string): Promise<void> {
  await db.query("delete from ambit.gateway_oauth_starts where state_hash = $1", [stateHash]);
}

export async function pruneStarts(db: Queryable, now: Date): Promise<void> {
  await db.query("delete from ambit.gateway_oauth_starts where expires_at <= $1", [now]);
}
