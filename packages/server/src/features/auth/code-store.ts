import type { Queryable } from "../../engines/postgres/database.ts";

/** What a code is good for; a code of one purpose is nothing to another. */
export type CodePurpose = "verify" | "reset" | "magic";

export interface CodeKey {
  readonly appId: string;
  readonly email: string;
  readonly purpose: CodePurpose;
}

export interface CodeRow {
  readonly email: string;
  readonly code_hash: string;
  readonly password_hash: string | null;
}

/** Puts a new code in the place of an older one, and drops what has expired in the app. */
export async function upsertCode(
  db: Queryable,
  key: CodeKey,
  code: { codeHash: string; tokenHash: string; passwordHash: string | null; expiresAt: Date; now: Date },
): Promise<void> {
  await db.query("delete from ambit.auth_codes where app_id = $1 and expires_at <= $2", [
    key.appId,
    code.now,
  ]);
  await db.query(
    `insert into ambit.auth_codes as c (app_id, email, purpose, code_hash, token_hash, password_hash, expires_at)
     values ($1,$2,$3,$4,$5,$6,$7)
     on conflict (app_id, email, purpose) do update set code_hash = excluded.code_hash, attempts = 0,
       token_hash = excluded.token_hash, password_hash = excluded.password_hash, expires_at = excluded.expires_at`,
    [key.appId, key.email, key.purpose, code.codeHash, code.tokenHash, code.passwordHash, code.expiresAt],
  );
}

/** Counts an entry of the code and returns what to compare with; null when there is none, or no entries are left. */
export async function countAttempt(
  db: Queryable,
  key: CodeKey,
  most: number,
  now: Date,
): Promise<CodeRow | null> {
  const [row] = await db.query<CodeRow>(
    `update ambit.auth_codes set attempts = attempts + 1
     where app_id = $1 and email = $2 and purpose = $3 and expires_at > $4 and attempts < $5
     returning email, code_hash, password_hash`,
    [key.appId, key.email, key.purpose, now, most],
  );
  return row ?? null;
}

export async function selectByToken(
  db: Queryable,
  appId: string,
  purpose: CodePurpose,
  tokenHash: string,
  now: Date,
): Promise<CodeRow | null> {
  const [row] = await db.query<CodeRow>(
    `select email, code_hash, password_hash from ambit.auth_codes
     where app_id = $1 and purpose = $2 and token_hash = $3 and expires_at > $4`,
    [appId, purpose, tokenHash, now],
  );
  return row ?? null;
}

/** Takes the code out of use; false when somebody else was first. */
export async function deleteCode(db: Queryable, key: CodeKey, codeHash: string): Promise<boolean> {
  const rows = await db.query(
    `delete from ambit.auth_codes where app_id = $1 and email = $2 and purpose = $3 and code_hash = $4 returning 1`,
    [key.appId, key.email, key.purpose, codeHash],
  );
  return rows.length > 0;
}
