import type { Queryable } from "../../engines/postgres/database.ts";

export interface UserRow {
  readonly id: string;
  readonly email: string | null;
  readonly email_verified: boolean;
  readonly password_hash: string | null;
  readonly display_name: string | null;
  readonly avatar_url: string | null;
  readonly provider: string;
  readonly created_at: Date;
  readonly last_sign_in_at: Date | null;
}

export type NewUser = Omit<UserRow, "last_sign_in_at">;

const USER =
  "u.id, u.email, u.email_verified, u.password_hash, u.display_name, u.avatar_url, u.provider, u.created_at, u.last_sign_in_at";

/** Inserts a user; null when the address is taken. */
export async function insertUser(db: Queryable, appId: string, user: NewUser): Promise<UserRow | null> {
  const [row] = await db.query<UserRow>(
    `insert into ambit.auth_users as u (id, app_id, email, email_verified, password_hash, display_name, avatar_url, provider, created_at)
     values ($1,$2,$3,$4,$5,$6,$7,$8,$9) on conflict (app_id, email) do nothing returning ${USER}`,
    [
      user.id,
      appId,
      user.email,
      user.email_verified,
      user.password_hash,
      user.display_name,
      user.avatar_url,
      user.provider,
      user.created_at,
    ],
  );
  return row ?? null;
}

export async function selectUser(db: Queryable, appId: string, id: string): Promise<UserRow | null> {
  const [row] = await db.query<UserRow>(
    `select ${USER} from ambit.auth_users u where u.app_id = $1 and u.id = $2`,
    [appId, id],
  );
  return row ?? null;
}

export async function selectUserByEmail(
  db: Queryable,
  appId: string,
  email: string,
): Promise<UserRow | null> {
  const [row] = await db.query<UserRow>(
    `select ${USER} from ambit.auth_users u where u.app_id = $1 and u.email = $2`,
    [appId, email],
  );
  return row ?? null;
}

/** The same, holding the row against other changes until the transaction ends. */
export async function lockUserByEmail(db: Queryable, appId: string, email: string): Promise<UserRow | null> {
  const [row] = await db.query<UserRow>(
    `select ${USER} from ambit.auth_users u where u.app_id = $1 and u.email = $2 for update`,
    [appId, email],
  );
  return row ?? null;
}

/** Newest first, from the user after `after` on. */
export function selectUsers(
  db: Queryable,
  appId: string,
  limit: number,
  after: { createdAt: Date; id: string } | null,
): Promise<UserRow[]> {
  return db.query<UserRow>(
    `select ${USER} from ambit.auth_users u
     where u.app_id = $1 and ($2::timestamptz is null or (u.created_at, u.id) < ($2, $3::uuid))
     order by u.created_at desc, u.id desc limit $4`,
    [appId, after?.createdAt ?? null, after?.id ?? null, limit],
  );
}

export async function deleteUser(db: Queryable, appId: string, id: string): Promise<boolean> {
  const rows = await db.query("delete from ambit.auth_users where app_id = $1 and id = $2 returning 1", [
    appId,
    id,
  ]);
  return rows.length > 0;
}

export async function updatePassword(db: Queryable, userId: string, hash: string | null): Promise<void> {
  await db.query("update ambit.auth_users set password_hash = $2 where id = $1", [userId, hash]);
}

export async function markVerified(db: Queryable, userId: string): Promise<void> {
  await db.query("update ambit.auth_users set email_verified = true where id = $1", [userId]);
}

export async function selectIdentity(
  db: Queryable,
  appId: string,
  provider: string,
  subject: string,
): Promise<UserRow | null> {
  const [row] = await db.query<UserRow>(
    `select ${USER} from ambit.auth_identities i join ambit.auth_users u on u.id = i.user_id
     where i.app_id = $1 and i.provider = $2 and i.subject = $3`,
    [appId, provider, subject],
  );
  return row ?? null;
}

/** Remembers who the provider says the user is; false when that identity belongs to a user already. */
export async function insertIdentity(
  db: Queryable,
  identity: { appId: string; provider: string; subject: string; userId: string; now: Date },
): Promise<boolean> {
  const rows = await db.query(
    `insert into ambit.auth_identities (app_id, provider, subject, user_id, created_at) values ($1,$2,$3,$4,$5)
     on conflict do nothing returning 1`,
    [identity.appId, identity.provider, identity.subject, identity.userId, identity.now],
  );
  return rows.length > 0;
}

export async function deleteIdentities(db: Queryable, userId: string): Promise<void> {
  await db.query("delete from ambit.auth_identities where user_id = $1", [userId]);
}

export interface SigningKeyRow {
  readonly kid: string;
  readonly public_jwk: Record<string, string>;
  readonly sealed_private_jwk: string;
}

/** Newest first. */
export function selectSigningKeys(db: Queryable, appId: string): Promise<SigningKeyRow[]> {
  return db.query<SigningKeyRow>(
    `select kid, public_jwk, sealed_private_jwk from ambit.auth_signing_keys
     where app_id = $1 order by created_at desc, kid`,
    [appId],
  );
}

/** Lets one node at a time make the first key of an app; the others then find it. */
export async function lockSigningKeys(db: Queryable, appId: string): Promise<void> {
  await db.query("select pg_advisory_xact_lock(hashtextextended('ambit auth keys ' || $1, 0))", [appId]);
}

/** False when there is no such app. */
export async function insertSigningKey(
  db: Queryable,
  appId: string,
  key: SigningKeyRow,
  now: Date,
): Promise<boolean> {
  const rows = await db.query(
    `insert into ambit.auth_signing_keys (app_id, kid, public_jwk, sealed_private_jwk, created_at)
     select id, $2, $3, $4, $5 from ambit.apps where id = $1 returning 1`,
    [appId, key.kid, JSON.stringify(key.public_jwk), key.sealed_private_jwk, now],
  );
  return rows.length > 0;
}
