import { errors as joseErrors, jwtVerify, SignJWT } from "jose";
import { LRUCache } from "lru-cache";
import type { Platform } from "../../engines/platform.ts";
import { errors } from "../../kernel/errors.ts";
import type { UserPrincipal } from "../../kernel/principal.ts";
import { limits } from "./limits.ts";
import { SIGNING_ALGORITHM, type SigningKeys } from "./signing-keys.ts";
import type { UserRow } from "./store.ts";

/** Makes and reads access tokens (RFC 7519), signed with the app's own key. */
export interface AccessTokens {
  sign(appId: string, user: UserRow, sessionId: string, ttlS: number): Promise<string>;
  /** Checks signature, issuer, app and expiry. Whether the session still lives is not asked here. */
  read(appId: string, token: string): Promise<SessionPrincipal>;
}

/** A user's principal, with the session behind it. */
export interface SessionPrincipal extends UserPrincipal {
  readonly claims: Readonly<Record<string, unknown>> & { readonly sid: string };
}

const issuerOf = (appId: string) => `butterbase:app:${appId}`;

export function createAccessTokens({ clock }: Platform, keys: SigningKeys): AccessTokens {
  const verified = new LRUCache<string, SessionPrincipal>({
    maxSize: limits.verifiedTokenChars,
    sizeCalculation: (_principal, token) => token.length,
  });
  return {
    async sign(appId, user, sessionId, ttlS) {
      const { signing } = await keys.of(appId);
      const issuedAtS = Math.floor(clock() / 1000);
      return new SignJWT({
        sub: user.id,
        email: user.email,
        email_verified: user.email_verified,
        app_id: appId,
        role: "user",
        sid: sessionId,
        iat: issuedAtS,
        exp: issuedAtS + ttlS,
        iss: issuerOf(appId),
      })
        .setProtectedHeader({ alg: SIGNING_ALGORITHM, kid: signing.kid, typ: "JWT" })
        .sign(signing.privateKey);
    },
    async read(appId, token) {
      let principal = verified.get(token);
      if (principal === undefined) {
        principal = await verify(keys, appId, token, clock());
        verified.set(token, principal);
      }
      if (principal.appId !== appId) throw errors.AUTH_INVALID_END_USER_JWT();
      if (principal.expiresAtMs <= clock()) throw errors.AUTH_END_USER_JWT_EXPIRED();
      return principal;
    },
  };
}

/**
 * The full check. The algorithm is ours and not the header's to choose, and the key id only picks among the app's own
 * keys. No leeway on the expiry: the clock that reads is the clock that wrote.
 */
async function verify(
  keys: SigningKeys,
  appId: string,
  token: string,
  nowMs: number,
): Promise<SessionPrincipal> {
  if (token.length > limits.accessTokenChars) throw errors.AUTH_INVALID_END_USER_JWT();
  const { verifying } = await keys.of(appId);
  try {
    const { payload } = await jwtVerify(
      token,
      ({ kid }) => {
        const key = verifying.get(kid ?? "");
        if (key === undefined) throw new joseErrors.JWKSNoMatchingKey();
        return key;
      },
      {
        algorithms: [SIGNING_ALGORITHM],
        issuer: issuerOf(appId),
        requiredClaims: ["sub", "exp", "app_id", "sid"],
        currentDate: new Date(nowMs),
      },
    );
    const { sub, sid, exp } = payload;
    if (payload.app_id !== appId || typeof sid !== "string") throw errors.AUTH_INVALID_END_USER_JWT();
    const claims = Object.freeze({ ...payload, sid });
    return Object.freeze({ kind: "user", appId, userId: sub!, claims, expiresAtMs: exp! * 1000 });
  } catch (error) {
    if (error instanceof joseErrors.JWTExpired) throw errors.AUTH_END_USER_JWT_EXPIRED();
    if (error instanceof joseErrors.JOSEError || error instanceof TypeError)
      throw errors.AUTH_INVALID_END_USER_JWT();
    throw error;
  }
}
