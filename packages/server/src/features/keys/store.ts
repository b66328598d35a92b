import type { Queryable } from "../../engines/postgres/database.ts";
import type { KeyKind, Role } from "../../kernel/principal.ts";

export interface KeyRow {
  readonly id: string;
  readonly organization_id: string;
  readonly account_id: string;
  readonly kind: KeyKind;
  readonly name: string;
  readonly prefix: string;
  readonly scope: "app" | "substrate" | "both";
  readonly scopes: string[];
  readonly expires_at: Date | null;
  readonly last_used_at: Date | null;
  readonly created_at: Date;
}

export interface NewKeyRow
  extends Pick<
    KeyRow,
    "id" | "organization_id" | "account_id" | "kind" | "name" | "prefix" | "scope" | "scopes" | "expires_at"
  > {
  readonly hash: string;
}

const COLUMNS =
  "k.id, k.organization_id, k.account_id, k.kind, k.name, k.prefix, k.scope, k.scopes, k.expires_at, k.last_used_at, k.created_at";

/** Inserts the key; null when its account is no member of its organisation. */
export async function insertKey(db: Queryable, key: NewKeyRow): Promise<KeyRow | null> {
  const [row] = await db.query<KeyRow>(
    `insert into ambit.api_keys as k (id, organization_id, account_id, kind, name, hash, prefix, scope, scopes, expires_at)
     select $1,$2,$3,$4,$5,$6,$7,$8,$9,$10
     where exists (select from ambit.members where organization_id = $2 and account_id = $3) returning ${COLUMNS}`,
    [
      key.id,
      key.organization_id,
      key.account_id,
      key.kind,
      key.name,
      key.hash,
      key.prefix,
      key.scope,
      key.scopes,
      key.expires_at,
    ],
  );
  return row ?? null;
}

/** The live key with this hash and its member's role. */
export async function selectByHash(db: Queryable, hash: string): Promise<(KeyRow & { role: Role }) | null> {
  const [row] = await db.query<KeyRow & { role: Role }>(
    `select ${COLUMNS}, m.role from ambit.api_keys k
     join ambit.members m using (organization_id, account_id) where k.hash = $1 and k.revoked_at is null`,
    [hash],
  );
  return row ?? null;
}

/** The live key with this id and its member's role. */
export async function selectById(db: Queryable, id: string): Promise<(KeyRow & { role: Role }) | null> {
  const [row] = await db.query<KeyRow & { role: Role }>(
    `select ${COLUMNS}, m.role from ambit.api_keys k
     join ambit.members m using (organization_id, account_id) where k.id = $1 and k.revoked_at is null`,
    [id],
  );
  return row ?? null;
}

/** What a key is called, live or not. */
export async function selectName(db: Queryable, id: string): Promise<string | null> {
  const [row] = await db.query<{ name: string }>("select name from ambit.api_keys where id = $1", [id]);
  return row?.name ?? null;
}

/** Live keys of an organisation, newest first; of one account only when `accountId` is given. */
export function selectKeys(
  db: Queryable,
  organizationId: string,
  accountId: string | null,
): Promise<KeyRow[]> {
  return db.query<KeyRow>(
    `select ${COLUMNS} from ambit.api_keys k
     where k.organization_id = $1 and k.revoked_at is null and ($2::uuid is null or k.account_id = $2)
     order by k.created_at desc, k.id`,
    [organizationId, accountId],
  );
}

export async function revokeKey(db: Queryable, id: string): Promise<void> {
  await db.query("update ambit.api_keys set revoked_at = now() where id = $1 and revoked_at is null", [id]);
}

export async function touchKey(db: Queryable, id: string): Promise<void> {
  await db.query("update ambit.api_keys set last_used_at = now() where id = $1", [id]);
}
