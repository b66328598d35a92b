import type { Platform } from "../../engines/platform.ts";
import { errors } from "../../kernel/errors.ts";
import { createGuardedFetch, type GuardedFetch } from "../../kernel/guarded-fetch.ts";
import type { AppsService } from "../apps/service.ts";
import type { MailService } from "../mail/service.ts";
import { type AccessTokens, createAccessTokens, type SessionPrincipal } from "./access-tokens.ts";
import type { AuthContext, AuthEvent } from "./context.ts";
import { createSignal } from "./events.ts";
import { createOAuthClient } from "./oauth/client.ts";
import { createOAuthFlow, type OAuthFlow } from "./oauth/flow.ts";
import { createIdTokenReader } from "./oauth/id-token.ts";
import { createProviders, type Providers } from "./oauth/providers.ts";
import { createOneTimeCodes } from "./one-time-codes.ts";
import { createPasswordHasher } from "./password-hasher.ts";
import { createAuthRates } from "./rate-limits.ts";
import { deleteSessions } from "./session-store.ts";
import { createSessions } from "./sessions.ts";
import { createSigningKeys, type SigningKeys } from "./signing-keys.ts";
import * as store from "./store.ts";
import { type UserDetails, userDetails } from "./user-view.ts";

export type { AuthEvent } from "./context.ts";
export type { UserDetails, UserView } from "./user-view.ts";

/** End users of apps, as other features see them. */
export interface AuthService {
  /**
   * The user behind an access token of this app. Throws AUTH_INVALID_END_USER_JWT or AUTH_END_USER_JWT_EXPIRED. A
   * deleted user or ended session is refused at once on the node where it happened, and within a second on others.
   */
  verifyAccessToken(appId: string, token: string): Promise<SessionPrincipal>;
  /** One user, or null. */
  user(appId: string, userId: string): Promise<UserDetails | null>;
  /** Users of an app, newest first; `cursor` is the last answer's `nextCursor`. */
  users(
    appId: string,
    limit: number,
    cursor: string | null,
  ): Promise<{ users: UserDetails[]; nextCursor: string | null }>;
  /** Deletes a user with every session; false when there is none. */
  deleteUser(appId: string, userId: string): Promise<boolean>;
  /** Called after a user was deleted on this node. */
  onUserDeleted(listener: (appId: string, userId: string) => void): void;
  /** Called after a session ended on this node, whatever ended it. */
  onSessionRevoked(listener: (appId: string, sessionId: string) => void): void;
  /** Called after users signed up, signed in, or verified an address on this node. */
  onEvent(listener: (event: AuthEvent) => void | Promise<void>): void;
}

/** The service and the parts its operations run. */
export interface AuthParts {
  readonly service: AuthService;
  readonly context: AuthContext;
  readonly keys: SigningKeys;
  readonly providers: Providers;
  readonly oauth: OAuthFlow;
}

export interface AuthDependencies {
  readonly apps: AppsService;
  readonly mail: MailService;
  /** How OAuth providers are called. */
  readonly fetch?: GuardedFetch;
}

export function createAuthParts(platform: Platform, { apps, mail, fetch }: AuthDependencies): AuthParts {
  const { log, metrics } = platform;
  const keys = createSigningKeys(platform);
  const tokens = createAccessTokens(platform, keys);
  apps.onChange((appId) => keys.forget(appId));
  const rates = createAuthRates(metrics);
  const context: AuthContext = {
    platform,
    apps,
    mail,
    rates,
    codes: createOneTimeCodes(platform),
    hasher: createPasswordHasher(),
    sessions: createSessions(platform, { apps, tokens, rates }),
    happened: createSignal<[AuthEvent]>("auth event", log),
  };
  const providers = createProviders(platform);
  const guarded = fetch ?? createGuardedFetch({ allowPrivate: [] });
  const client = createOAuthClient(guarded, createIdTokenReader(guarded));
  return {
    context,
    keys,
    providers,
    oauth: createOAuthFlow(context, providers, client),
    service: createService(context, tokens),
  };
}

function createService({ platform, sessions, happened }: AuthContext, tokens: AccessTokens): AuthService {
  const { database, log } = platform;
  const userDeleted = createSignal<[appId: string, userId: string]>("user deleted", log);
  return {
    async verifyAccessToken(appId, token) {
      const principal = await tokens.read(appId, token);
      if (await sessions.isAlive(principal.claims.sid, principal.userId)) return principal;
      throw errors.AUTH_INVALID_END_USER_JWT({ message: "The session of this access token has ended." });
    },
    async user(appId, userId) {
      const row = await store.selectUser(database, appId, userId);
      return row === null ? null : userDetails(row);
    },
    async users(appId, limit, cursor) {
      const rows = await store.selectUsers(
        database,
        appId,
        limit + 1,
        cursor === null ? null : parseCursor(cursor),
      );
      const page = rows.slice(0, limit);
      const last = page.at(-1);
      const more = rows.length > limit && last !== undefined;
      return { users: page.map(userDetails), nextCursor: more ? cursorAfter(last) : null };
    },
    async deleteUser(appId, userId) {
      const { ended, deleted } = await database.transaction(async (tx) => ({
        ended: await deleteSessions(tx, { appId, userId }, { id: null }),
        deleted: await store.deleteUser(tx, appId, userId),
      }));
      sessions.ended(appId, ended);
      if (deleted) userDeleted.emit(appId, userId);
      return deleted;
    },
    onUserDeleted: userDeleted.on,
    onSessionRevoked: sessions.onEnded,
    onEvent: happened.on,
  };
}

const cursorAfter = (user: store.UserRow): string =>
  Buffer.from(`${user.created_at.getTime()} ${user.id}`).toString("base64url");

function parseCursor(cursor: string): { createdAt: Date; id: string } {
  const match = /^(\d{1,15}) ([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/.exec(
    Buffer.from(cursor, "base64url").toString(),
  );
  if (match === null) {
    throw errors.VALIDATION_INVALID_SCHEMA({
      message: "cursor is not one this server gave.",
      remediation: "Use next_cursor of the last answer, or leave cursor out.",
    });
  }
  return { createdAt: new Date(Number(match[1])), id: match[2]! };
}
