import { importPKCS8, SignJWT } from "jose";
import type { GuardedFetch, GuardedResponse } from "../../../kernel/guarded-fetch.ts";
import { authErrors } from "../errors.ts";
import type { IdTokenReader } from "./id-token.ts";
import type { Provider } from "./presets.ts";
import { type Profile, primaryEmail, profileOf } from "./profile.ts";

/** A provider's answer at the callback, with what we sent there. */
export interface Exchange {
  readonly code: string;
  readonly codeVerifier: string;
  readonly callbackUrl: string;
  readonly nonce: string;
  readonly nowMs: number;
}

type Answer = Record<string, unknown>;

/** Turns an authorization code into a person. The provider's tokens are used here and kept nowhere. */
export type OAuthClient = (provider: Provider, clientSecret: string, exchange: Exchange) => Promise<Profile>;

export function createOAuthClient(fetch: GuardedFetch, readIdToken: IdTokenReader): OAuthClient {
  return async (provider, clientSecret, exchange) => {
    const secret = await secretOf(provider, clientSecret, exchange.nowMs);
    const tokens = await redeem(fetch, provider, secret, exchange);
    const claims =
      provider.oidc === null
        ? await userinfo(fetch, provider, tokens)
        : await openidClaims(fetch, readIdToken, provider, provider.oidc, tokens, exchange);
    const profile = profileOf(provider.name, claims);
    if (profile === null)
      throw authErrors.OAUTH_EXCHANGE_FAILED({ message: "The provider did not say who signed in." });
    return profile;
  };
}

/** Apple takes a short-lived JWT for a secret: with a private key configured, it is made here. */
async function secretOf(provider: Provider, clientSecret: string, nowMs: number): Promise<string> {
  if (!clientSecret.startsWith("-----BEGIN")) return clientSecret;
  const issuedAtS = Math.floor(nowMs / 1000);
  try {
    const key = await importPKCS8(clientSecret, "ES256");
    return await new SignJWT({ iat: issuedAtS, exp: issuedAtS + 300 })
      .setProtectedHeader({ alg: "ES256", kid: String(provider.metadata.key_id ?? "") })
      .setIssuer(String(provider.metadata.team_id ?? ""))
      .setSubject(provider.clientId)
      .setAudience(provider.oidc?.issuer ?? provider.tokenUrl)
      .sign(key);
  } catch (cause) {
    throw authErrors.OAUTH_EXCHANGE_FAILED({
      message: "client_secret is not a PKCS #8 key for ES256.",
      cause,
    });
  }
}

/** RFC 6749 §4.1.3, with the verifier of RFC 7636 §4.5. */
async function redeem(
  fetch: GuardedFetch,
  provider: Provider,
  secret: string,
  exchange: Exchange,
): Promise<Answer> {
  const form = new URLSearchParams({
    grant_type: "authorization_code",
    code: exchange.code,
    redirect_uri: exchange.callbackUrl,
    client_id: provider.clientId,
    ...(provider.pkce ? { code_verifier: exchange.codeVerifier } : {}),
    ...(provider.clientAuth === "post" ? { client_secret: secret } : {}),
  });
  const headers: Record<string, string> = {
    accept: "application/json",
    "content-type": "application/x-www-form-urlencoded",
  };
  if (provider.clientAuth === "basic") {
    // RFC 6749 §2.3.1: both parts form-encoded before they are joined.
    const pair = [provider.clientId, secret].map(encodeURIComponent).join(":");
    headers.authorization = `Basic ${Buffer.from(pair).toString("base64")}`;
  }
  const response = await fetch(provider.tokenUrl, {
    method: "POST",
    headers,
    body: form.toString(),
    redirects: 0,
  });
  const answer = jsonOf(response);
  if (answer === null || typeof answer.access_token !== "string") {
    const reason =
      typeof answer?.error === "string" ? answer.error.slice(0, 100) : `status ${response.status}`;
    throw authErrors.OAUTH_EXCHANGE_FAILED({
      message: `The provider gave no token for the code: ${reason}.`,
    });
  }
  return answer;
}

async function openidClaims(
  fetch: GuardedFetch,
  readIdToken: IdTokenReader,
  provider: Provider,
  oidc: { issuer: string; jwksUri: string },
  tokens: Answer,
  { nonce, nowMs }: Exchange,
): Promise<Answer> {
  if (typeof tokens.id_token !== "string") {
    throw authErrors.OAUTH_EXCHANGE_FAILED({ message: "The provider gave no ID token." });
  }
  const claims = await readIdToken(tokens.id_token, { ...oidc, clientId: provider.clientId, nonce, nowMs });
  if (typeof claims.email === "string" || provider.userinfoUrl === null) return claims;
  const info = await userinfo(fetch, provider, tokens);
  // OpenID Connect Core §5.3.2: a userinfo answer about somebody else must not be used.
  return info.sub === claims.sub ? { ...info, ...claims } : claims;
}

async function userinfo(fetch: GuardedFetch, provider: Provider, tokens: Answer): Promise<Answer> {
  const url = provider.userinfoUrl!;
  const headers = { accept: "application/json", authorization: `Bearer ${tokens.access_token}` };
  const info = jsonOf(await fetch(url, { headers, redirects: 0 }));
  if (info === null)
    throw authErrors.OAUTH_EXCHANGE_FAILED({ message: "The provider did not say who signed in." });
  if (provider.name !== "github") return info;
  // GitHub shows in the profile only an address made public, and never whether it is verified.
  const emails = await fetch(`${url.replace(/\/$/, "")}/emails`, { headers, redirects: 0 });
  return { ...info, email: null, ...primaryEmail(jsonOf(emails)) };
}

/** The body of a successful answer as JSON; null for any other answer. */
function jsonOf({ status, body }: GuardedResponse): Answer | null {
  if (status < 200 || status > 299) return null;
  try {
    const value: unknown = JSON.parse(body.toString());
    return typeof value === "object" && value !== null ? (value as Answer) : null;
  } catch {
    return null;
  }
}
