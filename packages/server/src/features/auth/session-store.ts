import type { Queryable } from "../../engines/postgres/database.ts";
import { limits } from "./limits.ts";
import type { UserRow } from "./store.ts";

export interface SessionRow {
  readonly id: string;
  readonly user_id: string;
  readonly method: string;
  readonly ip_address: string;
  readonly user_agent: string;
  readonly created_at: Date;
  readonly last_used_at: Date;
  readonly expires_at: Date;
}

export interface NewSession {
  readonly id: string;
  readonly appId: string;
  readonly userId: string;
  readonly method: string;
  readonly ip: string;
  readonly userAgent: string;
  readonly now: Date;
  readonly expiresAt: Date;
  readonly tokenHash: string;
  readonly tokenExpiresAt: Date;
}

/**
 * The session, its first refresh token, and the user's last sign-in, in one statement. Sessions of anybody that are over
 * are dropped on the way, more of them than are made, so that they never pile up.
 */
export async function insertSession(db: Queryable, session: NewSession): Promise<void> {
  await db.query(
    `with session as (
       insert into ambit.auth_sessions (id, app_id, user_id, method, ip_address, user_agent, created_at, last_used_at, expires_at)
       values ($1,$2,$3,$4,$5,$6,$7,$7,$8)
     ), token as (
       insert into ambit.auth_refresh_tokens (hash, session_id, expires_at) values ($9,$1,$10)
     ), expired as (
       delete from ambit.auth_sessions where id in
         (select id from ambit.auth_sessions where expires_at <= $7 limit ${limits.expiredPerSignIn} for update skip locked)
     )
     update ambit.auth_users set last_sign_in_at = $7 where id = $3`,
    [
      session.id,
      session.appId,
      session.userId,
      session.method,
      session.ip,
      session.userAgent,
      session.now,
      session.expiresAt,
      session.tokenHash,
      session.tokenExpiresAt,
    ],
  );
}

/** Ends the sessions of a user beyond `most`, those unused for longest; returns their ids. */
export function trimSessions(db: Queryable, userId: string, most: number): Promise<{ id: string }[]> {
  return db.query<{ id: string }>(
    `delete from ambit.auth_sessions where id in
       (select id from ambit.auth_sessions where user_id = $1 order by last_used_at desc offset $2) returning id`,
    [userId, most],
  );
}

/** Whose session it is; null when it has ended. */
export async function selectSessionUser(db: Queryable, id: string): Promise<string | null> {
  const [row] = await db.query<{ user_id: string }>("select user_id from ambit.auth_sessions where id = $1", [
    id,
  ]);
  return row?.user_id ?? null;
}

/** Live sessions, the one used last first. */
export function selectSessions(
  db: Queryable,
  appId: string,
  userId: string,
  now: Date,
): Promise<SessionRow[]> {
  return db.query<SessionRow>(
    `select id, user_id, method, ip_address, user_agent, created_at, last_used_at, expires_at
     from ambit.auth_sessions where app_id = $1 and user_id = $2 and expires_at > $3 order by last_used_at desc, id`,
    [appId, userId, now],
  );
}

/** Ends one session of the user, or with `id` null all but `except`; returns the ids that ended. */
export async function deleteSessions(
  db: Queryable,
  user: { appId: string; userId: string },
  which: { id: string | null; except?: string | undefined },
): Promise<string[]> {
  const rows = await db.query<{ id: string }>(
    `delete from ambit.auth_sessions where app_id = $1 and user_id = $2
       and ($3::uuid is null or id = $3) and ($4::uuid is null or id <> $4) returning id`,
    [user.appId, user.userId, which.id, which.except ?? null],
  );
  return rows.map((row) => row.id);
}

/** A refresh token with its session and user. */
export interface PresentedToken extends UserRow {
  readonly session_id: string;
  readonly token_used_at: Date | null;
  readonly token_expires_at: Date;
}

/**
 * The token by its hash, with its session held until the transaction ends. The session is locked before the token is
 * read: whatever ends a session locks in that order too, and the token is seen as the last holder left it.
 */
export async function lockRefreshToken(
  db: Queryable,
  appId: string,
  hash: string,
): Promise<PresentedToken | null> {
  await db.query(
    `select 1 from ambit.auth_sessions where app_id = $2
       and id = (select session_id from ambit.auth_refresh_tokens where hash = $1) for update`,
    [hash, appId],
  );
  const [row] = await db.query<PresentedToken>(
    `select t.session_id, t.used_at as token_used_at, t.expires_at as token_expires_at,
       u.id, u.email, u.email_verified, u.password_hash, u.display_name, u.avatar_url, u.provider, u.created_at, u.last_sign_in_at
     from ambit.auth_refresh_tokens t
     join ambit.auth_sessions s on s.id = t.session_id
     join ambit.auth_users u on u.id = s.user_id
     where t.hash = $1 and s.app_id = $2`,
    [hash, appId],
  );
  return row ?? null;
}

/** Marks the token used and puts its successor in its place. */
export async function rotateToken(
  db: Queryable,
  rotation: {
    hash: string;
    successorHash: string;
    sessionId: string;
    now: Date;
    tokenExpiresAt: Date;
    expiresAt: Date;
  },
): Promise<void> {
  await db.query(
    `with used as (update ambit.auth_refresh_tokens set used_at = $1 where hash = $2),
     successor as (insert into ambit.auth_refresh_tokens (hash, session_id, expires_at) values ($3, $4, $5)),
     forgotten as (delete from ambit.auth_refresh_tokens where session_id = $4 and expires_at < $1)
     update ambit.auth_sessions set last_used_at = $1, expires_at = $6 where id = $4`,
    [
      rotation.now,
      rotation.hash,
      rotation.successorHash,
      rotation.sessionId,
      rotation.tokenExpiresAt,
      rotation.expiresAt,
    ],
  );
}
