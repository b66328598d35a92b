import type { Platform } from "../../engines/platform.ts";
import { createLookup } from "../../kernel/cache.ts";
import { newToken, newUuid, sha256Hex } from "../../kernel/ids.ts";
import type { AppsService } from "../apps/service.ts";
import type { AccessTokens } from "./access-tokens.ts";
import { authErrors } from "./errors.ts";
import { createSignal } from "./events.ts";
import { limits } from "./limits.ts";
import type { AuthRates } from "./rate-limits.ts";
import { decideRefresh, type RefreshDecision } from "./refresh.ts";
import * as store from "./session-store.ts";
import type { UserRow } from "./store.ts";
import { lifetimesOf, type TokenLifetimes } from "./token-lifetimes.ts";
import { type UserView, userView } from "./user-view.ts";

/** What a client holds after signing in. */
export interface TokenAnswer {
  readonly access_token: string;
  readonly refresh_token: string;
  /** Seconds the access token lives. */
  readonly expires_in: number;
  readonly token_type: "Bearer";
  readonly user: UserView;
}

/** From where and how somebody signs in. */
export interface SignIn {
  /** password, magic_link, or an OAuth provider. */
  readonly method: string;
  readonly ip: string;
  readonly userAgent: string;
}

interface Owner {
  readonly appId: string;
  readonly userId: string;
}

export interface Sessions {
  open(appId: string, user: UserRow, signIn: SignIn): Promise<TokenAnswer>;
  /** Exchanges a refresh token; throws AUTH_INVALID_REFRESH_TOKEN or AUTH_REFRESH_TOKEN_REUSED. */
  refresh(appId: string, refreshToken: string, arrivedAtMs: number): Promise<TokenAnswer>;
  list(owner: Owner): Promise<store.SessionRow[]>;
  /** Ends one session, or with `id` null all but `except`; returns how many ended. */
  end(owner: Owner, which: { id: string | null; except?: string }): Promise<number>;
  /** Tells this node that sessions ended in a transaction that has been committed. */
  ended(appId: string, ids: readonly string[]): void;
  /** Whether the session is the user's and has not been ended; at most `limits.sessionCheckMs` late for what other nodes end. */
  isAlive(sessionId: string, userId: string): Promise<boolean>;
  onEnded(listener: (appId: string, sessionId: string) => void): void;
}

interface SessionParts {
  readonly apps: AppsService;
  readonly tokens: AccessTokens;
  readonly rates: AuthRates;
}

export function createSessions(platform: Platform, parts: SessionParts): Sessions {
  const { database, clock, log } = platform;
  const userOf = createLookup((id) => store.selectSessionUser(database, id), {
    maxAgeMs: limits.sessionCheckMs,
  });
  const endedSignal = createSignal<[appId: string, sessionId: string]>("session ended", log);
  const ended = (appId: string, ids: readonly string[]) => {
    for (const id of ids) {
      userOf.forget(id);
      endedSignal.emit(appId, id);
    }
  };
  const lifetimes = async (appId: string) => lifetimesOf((await parts.apps.config(appId)).jwt_config);
  const answer = async (
    appId: string,
    user: UserRow,
    sessionId: string,
    refresh: string,
    ttl: TokenLifetimes,
  ) => ({
    access_token: await parts.tokens.sign(appId, user, sessionId, ttl.accessS),
    refresh_token: refresh,
    expires_in: ttl.accessS,
    token_type: "Bearer" as const,
    user: userView(user),
  });
  return {
    async open(appId, user, signIn) {
      const ttl = await lifetimes(appId);
      const session = newSession(appId, user.id, signIn, ttl, clock());
      await store.insertSession(database, session.row);
      const over = await store.trimSessions(database, user.id, limits.sessionsPerUser);
      ended(
        appId,
        over.map(({ id }) => id),
      );
      return answer(appId, user, session.row.id, session.refreshToken, ttl);
    },
    async refresh(appId, refreshToken, arrivedAtMs) {
      const ttl = await lifetimes(appId);
      const outcome = await redeem(platform, parts.rates, { appId, refreshToken, arrivedAtMs, ttl });
      if (outcome === null || outcome.decision === "expired") throw authErrors.AUTH_INVALID_REFRESH_TOKEN();
      const { user, decision, successor } = outcome;
      if (decision === "reused") {
        ended(appId, [user.session_id]);
        log.warn({ app: appId, user: user.id, session: user.session_id }, "a used refresh token came again");
        throw authErrors.AUTH_REFRESH_TOKEN_REUSED();
      }
      return answer(appId, user, user.session_id, successor, ttl);
    },
    list: ({ appId, userId }) => store.selectSessions(database, appId, userId, new Date(clock())),
    async end(owner, which) {
      const ids = await store.deleteSessions(database, owner, which);
      ended(owner.appId, ids);
      return ids.length;
    },
    ended,
    isAlive: async (sessionId, userId) => (await userOf.get(sessionId)) === userId,
    onEnded: endedSignal.on,
  };
}

function newSession(
  appId: string,
  userId: string,
  { method, ip, userAgent }: SignIn,
  ttl: TokenLifetimes,
  nowMs: number,
) {
  const refreshToken = newToken();
  const row: store.NewSession = {
    id: newUuid(),
    appId,
    userId,
    method,
    ip,
    userAgent: userAgent.slice(0, limits.userAgentChars),
    tokenHash: sha256Hex(refreshToken),
    ...expiries(nowMs, ttl),
  };
  return { row, refreshToken };
}

/** Decides on a refresh token and does what follows, all in one transaction; null for a token nobody knows. */
async function redeem(
  { database, secrets, clock }: Platform,
  rates: AuthRates,
  asked: { appId: string; refreshToken: string; arrivedAtMs: number; ttl: TokenLifetimes },
): Promise<{ user: store.PresentedToken; decision: RefreshDecision; successor: string } | null> {
  const { appId, refreshToken, arrivedAtMs, ttl } = asked;
  const hash = sha256Hex(refreshToken);
  // The successor follows from the token, so that two requests at once get the same one without storing it in clear.
  const successor = secrets.derive("auth-refresh-token", refreshToken);
  return database.transaction(async (tx) => {
    const user = await store.lockRefreshToken(tx, appId, hash);
    if (user === null) return null;
    await rates.refresh(user.session_id, ttl.accessS);
    const nowMs = clock();
    const token = {
      usedAtMs: user.token_used_at?.getTime() ?? null,
      expiresAtMs: user.token_expires_at.getTime(),
    };
    const decision = decideRefresh(token, arrivedAtMs, nowMs);
    if (decision === "rotate") {
      const successorHash = sha256Hex(successor);
      await store.rotateToken(tx, {
        hash,
        successorHash,
        sessionId: user.session_id,
        ...expiries(nowMs, ttl),
      });
    }
    if (decision === "reused")
      await store.deleteSessions(tx, { appId, userId: user.id }, { id: user.session_id });
    return { user, decision, successor };
  });
}

/** A session outlives both its tokens: an access token may be configured to live longer than a refresh token. */
function expiries(nowMs: number, ttl: TokenLifetimes): { now: Date; tokenExpiresAt: Date; expiresAt: Date } {
  return {
    now: new Date(nowMs),
    tokenExpiresAt: new Date(nowMs + ttl.refreshS * 1000),
    expiresAt: new Date(nowMs + Math.max(ttl.refreshS, ttl.accessS) * 1000),
  };
}
