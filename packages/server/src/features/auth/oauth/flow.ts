import { createHash } from "node:crypto";
import { AmbitError } from "../../../kernel/errors.ts";
import { HttpReply } from "../../../kernel/http-reply.ts";
import { newToken, newUuid, sha256Hex } from "../../../kernel/ids.ts";
import type { AppCall } from "../../../kernel/operation.ts";
import { type AuthContext, requiresVerification } from "../context.ts";
import { authErrors } from "../errors.ts";
import { limits } from "../limits.ts";
import type { TokenAnswer } from "../sessions.ts";
import * as users from "../store.ts";
import { userView } from "../user-view.ts";
import type { OAuthClient } from "./client.ts";
import { bindingCookie, readCookie } from "./cookie.ts";
import { decideAccount } from "./linking.ts";
import type { Provider } from "./presets.ts";
import type { Profile } from "./profile.ts";
import type { Providers } from "./providers.ts";
import { callbackUrl, defaultRedirect, redirectAllowed } from "./redirect.ts";
import { type OAuthState, openState, sealState } from "./state.ts";
import * as store from "./store.ts";

/** What the provider sends with the browser. */
export interface Callback {
  readonly code?: string | undefined;
  readonly state?: string | undefined;
  readonly error?: string | undefined;
  /** Apple, at the first sign-in only: JSON with the person's name. */
  readonly user?: string | undefined;
}

/** The authorization code flow (RFC 6749 §4.1) with PKCE, a sealed state and a nonce. */
export interface OAuthFlow {
  /** Sends the browser to the provider. */
  begin(call: AppCall, name: string, redirectTo: string | undefined): Promise<HttpReply>;
  /** Sends the browser back to the app, with tokens or with `error` and `error_description`. */
  finish(call: AppCall, name: string, callback: Callback): Promise<HttpReply>;
}

const redirect = (location: string, headers: Record<string, string> = {}) =>
  new HttpReply({
    status: 302,
    headers: { location, "cache-control": "no-store", "referrer-policy": "no-referrer", ...headers },
  });

const headerOf = (call: AppCall, name: string): string | undefined => {
  const value = call.headers?.[name];
  return typeof value === "string" ? value : undefined;
};

export function createOAuthFlow(context: AuthContext, providers: Providers, client: OAuthClient): OAuthFlow {
  const { platform, rates } = context;
  const { secrets, clock } = platform;
  const cookieOf = (url: string, formPost: boolean) =>
    bindingCookie(url.startsWith("https:"), formPost, limits.oauthStateMs / 1000);
  return {
    async begin(call, name, asked) {
      const { app } = call;
      await rates.address("oauth", { appId: app.id, ip: call.ip });
      const { provider, redirectUris } = await providers.enabled(app.id, name);
      const redirectTo = asked ?? defaultRedirect(app);
      if (
        redirectTo === null ||
        !redirectAllowed(redirectTo, app, redirectUris, platform.config.baseDomain)
      ) {
        throw authErrors.OAUTH_REDIRECT_NOT_ALLOWED();
      }
      const place = { appId: app.id, provider: name };
      const callback = callbackUrl(place, redirectUris, platform.publicUrl(), headerOf(call, "host"));
      const cookie = cookieOf(callback, provider.formPost);
      const browser = readCookie(headerOf(call, "cookie"), cookie.name) ?? newToken();
      const state: OAuthState = {
        provider: name,
        redirectTo,
        callbackUrl: callback,
        codeVerifier: newToken(),
        nonce: newToken(),
        browser: sha256Hex(browser),
        expiresAtMs: clock() + limits.oauthStateMs,
      };
      const location = authorizationUrl(provider, state, sealState(secrets, app.id, state));
      return redirect(location, { "set-cookie": cookie.header(browser) });
    },
    async finish(call, name, callback) {
      const appId = call.app.id;
      await rates.address("oauth", { appId, ip: call.ip });
      const { provider, clientSecret } = await providers.enabled(appId, name);
      const state = await takeState(context, call, provider, callback.state ?? "");
      try {
        if (callback.error !== undefined || callback.code === undefined) {
          throw authErrors.OAUTH_DENIED({ details: { error: callback.error?.slice(0, 200) } });
        }
        const exchange = { ...state, code: callback.code, nowMs: clock() };
        const profile = await client(provider, clientSecret(), exchange);
        const named = { ...profile, name: profile.name ?? nameOf(callback.user) };
        const { user: _user, ...tokens } = await signIn(context, call, name, named);
        return redirect(withQuery(state.redirectTo, tokens));
      } catch (error) {
        throw error instanceof AmbitError ? toldToApp(error, state.redirectTo) : error;
      }
    },
  };
}

function authorizationUrl(provider: Provider, state: OAuthState, sealed: string): string {
  return withQuery(provider.authorizationUrl, {
    response_type: "code",
    client_id: provider.clientId,
    redirect_uri: state.callbackUrl,
    scope: provider.scopes.join(" "),
    state: sealed,
    ...(provider.pkce
      ? {
          code_challenge: createHash("sha256").update(state.codeVerifier).digest("base64url"),
          code_challenge_method: "S256",
        }
      : {}),
    ...(provider.oidc === null ? {} : { nonce: state.nonce }),
    ...(provider.formPost ? { response_mode: "form_post" } : {}),
  });
}

function withQuery(url: string, parameters: Readonly<Record<string, string | number>>): string {
  const target = new URL(url);
  for (const [name, value] of Object.entries(parameters)) target.searchParams.set(name, String(value));
  return target.href;
}

/** The state of a round trip this browser began at this provider, once. */
async function takeState(
  context: AuthContext,
  call: AppCall,
  provider: Provider,
  parameter: string,
): Promise<OAuthState> {
  const { database, secrets, clock } = context.platform;
  const state = openState(secrets, call.app.id, parameter);
  const nowMs = clock();
  if (state === null || state.provider !== provider.name || state.expiresAtMs <= nowMs) {
    throw authErrors.OAUTH_STATE_INVALID();
  }
  const cookie = bindingCookie(state.callbackUrl.startsWith("https:"), provider.formPost, 0);
  const browser = readCookie(headerOf(call, "cookie"), cookie.name);
  if (browser === null || sha256Hex(browser) !== state.browser) throw authErrors.OAUTH_STATE_INVALID();
  const expiresAt = new Date(state.expiresAtMs);
  const first = await store.insertUsedState(database, sha256Hex(parameter), expiresAt, new Date(nowMs));
  if (!first) throw authErrors.OAUTH_STATE_INVALID();
  return state;
}

/** Finds, joins or makes the account, and opens a session. */
async function signIn(
  context: AuthContext,
  call: AppCall,
  name: string,
  profile: Profile,
): Promise<TokenAnswer> {
  const { platform, sessions, happened } = context;
  const appId = call.app.id;
  const strict = await requiresVerification(context, appId);
  const now = new Date(platform.clock());
  const { user, isNewUser } = await platform.database.transaction(async (tx) => {
    const byIdentity = await users.selectIdentity(tx, appId, name, profile.subject);
    const byEmail = profile.email === null ? null : await users.lockUserByEmail(tx, appId, profile.email);
    const decision = decideAccount(profile, { byIdentity, byEmail }, strict);
    if (decision.kind === "sign-in") return { user: decision.user, isNewUser: false };
    if (decision.kind === "refuse") {
      throw decision.reason === "not-verified"
        ? authErrors.AUTH_EMAIL_NOT_VERIFIED({
            remediation: "Sign in by code once: POST /auth/<app_id>/magic-link.",
          })
        : authErrors.OAUTH_ACCOUNT_EXISTS();
    }
    const account = decision.kind === "link" ? decision.user : await create(tx, appId, name, profile, now);
    const identity = { appId, provider: name, subject: profile.subject, userId: account.id, now };
    if (!(await users.insertIdentity(tx, identity))) throw authErrors.OAUTH_ACCOUNT_EXISTS();
    return { user: account, isNewUser: decision.kind === "create" };
  });
  const answer = await sessions.open(appId, user, { method: name, ip: call.ip, userAgent: call.userAgent });
  happened.emit({ appId, event: "oauth_login", user: userView(user), isNewUser, provider: name });
  return answer;
}

async function create(
  tx: Parameters<typeof users.insertUser>[0],
  appId: string,
  provider: string,
  profile: Profile,
  now: Date,
): Promise<users.UserRow> {
  const created = await users.insertUser(tx, appId, {
    id: newUuid(),
    email: profile.email,
    email_verified: profile.emailVerified,
    password_hash: null,
    display_name: profile.name,
    avatar_url: profile.avatarUrl,
    provider,
    created_at: now,
  });
  // Somebody took the address in this very moment.
  if (created === null) throw authErrors.OAUTH_ACCOUNT_EXISTS();
  return created;
}

/** The error as one that also takes the browser back to the app, which shows it to the person. */
function toldToApp(error: AmbitError, redirectTo: string): AmbitError {
  const { location, ...headers } = redirect(
    withQuery(redirectTo, { error: error.code, error_description: error.message }),
  ).headers as Record<string, string>;
  const entry = { status: 302, message: error.message, remediation: error.remediation };
  return new AmbitError(error.code, entry, { cause: error, headers: { ...headers, location: location! } });
}

function nameOf(user: string | undefined): string | null {
  try {
    const { name } = JSON.parse(user ?? "{}") as { name?: { firstName?: string; lastName?: string } };
    return (
      [name?.firstName, name?.lastName].filter(Boolean).join(" ").slice(0, limits.displayNameChars) || null
    );
  } catch {
    return null;
  }
}
