import {
  createLocalJWKSet,
  type JSONWebKeySet,
  type JWTPayload,
  errors as joseErrors,
  jwtVerify,
} from "jose";
import { createLookup } from "../../../kernel/cache.ts";
import type { GuardedFetch } from "../../../kernel/guarded-fetch.ts";
import { authErrors } from "../errors.ts";
import { limits } from "../limits.ts";

/** Signatures only a holder of a private key can make; never HMAC, whose key the client secret would be. */
const ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"];

export interface IdTokenExpectation {
  readonly issuer: string;
  readonly jwksUri: string;
  readonly clientId: string;
  readonly nonce: string;
  readonly nowMs: number;
}

/** Checks an ID token as OpenID Connect Core §3.1.3.7 asks; throws OAUTH_EXCHANGE_FAILED. */
export type IdTokenReader = (idToken: string, expected: IdTokenExpectation) => Promise<JWTPayload>;

export function createIdTokenReader(fetch: GuardedFetch): IdTokenReader {
  const keySets = createLookup((uri) => fetchKeys(fetch, uri), {
    maxAgeMs: limits.providerKeysMs,
    maxEntries: 100,
  });
  return async (idToken, expected) => {
    try {
      return await check(idToken, expected, await keySets.get(expected.jwksUri));
    } catch (error) {
      if (!(error instanceof joseErrors.JWKSNoMatchingKey)) throw error;
      // The provider may have changed its keys since.
      keySets.forget(expected.jwksUri);
      return check(idToken, expected, await keySets.get(expected.jwksUri));
    }
  };
}

async function fetchKeys(fetch: GuardedFetch, uri: string): Promise<JSONWebKeySet> {
  const { status, body } = await fetch(uri, { headers: { accept: "application/json" } });
  try {
    if (status === 200) return JSON.parse(body.toString()) as JSONWebKeySet;
  } catch {
    // Said below in the same words.
  }
  throw authErrors.OAUTH_EXCHANGE_FAILED({ message: "The provider's keys could not be read." });
}

async function check(
  idToken: string,
  expected: IdTokenExpectation,
  keys: JSONWebKeySet,
): Promise<JWTPayload> {
  try {
    const { payload } = await jwtVerify(idToken, createLocalJWKSet(keys), {
      algorithms: ALGORITHMS,
      audience: expected.clientId,
      requiredClaims: ["iss", "sub", "exp", "iat"],
      clockTolerance: 60,
      currentDate: new Date(expected.nowMs),
    });
    if (!issuerMatches(payload, expected.issuer)) throw new joseErrors.JWTInvalid("iss");
    if (payload.nonce !== expected.nonce) throw new joseErrors.JWTInvalid("nonce");
    if (Array.isArray(payload.aud) && payload.aud.length > 1 && payload.azp !== expected.clientId) {
      throw new joseErrors.JWTInvalid("azp");
    }
    return payload;
  } catch (error) {
    if (error instanceof joseErrors.JWKSNoMatchingKey) throw error;
    throw authErrors.OAUTH_EXCHANGE_FAILED({
      message: "The provider's ID token is not valid.",
      cause: error,
    });
  }
}

/** `{tenantid}` stands for the token's own tenant (Microsoft); Google leaves the scheme out at times. */
function issuerMatches({ iss, tid }: JWTPayload, issuer: string): boolean {
  const tenant = typeof tid === "string" && /^[0-9a-f-]{36}$/i.test(tid) ? tid : "";
  const wanted = issuer.replace("{tenantid}", tenant);
  return iss === wanted || (wanted === "https://accounts.google.com" && iss === "accounts.google.com");
}
