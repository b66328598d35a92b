import { type CryptoKey, exportJWK, generateKeyPair, importJWK, type JWK } from "jose";
import type { Platform } from "../../engines/platform.ts";
import { createLookup } from "../../kernel/cache.ts";
import { errors } from "../../kernel/errors.ts";
import { newToken } from "../../kernel/ids.ts";
import { limits } from "./limits.ts";
import * as store from "./store.ts";

export const SIGNING_ALGORITHM = "ES256";

/** An app's keys, ready for use. */
export interface AppKeys {
  /** The newest key signs. */
  readonly signing: { readonly kid: string; readonly privateKey: CryptoKey };
  /** By key id: every key whose tokens may still be about. */
  readonly verifying: ReadonlyMap<string, CryptoKey>;
  /** RFC 7517. */
  readonly jwks: { readonly keys: readonly JWK[] };
}

/** The key pairs of each app. The first is made when it is first needed, by one node alone. */
export interface SigningKeys {
  /** Throws AUTH_INVALID_END_USER_JWT for an app that is not there. */
  of(appId: string): Promise<AppKeys>;
  forget(appId: string): void;
}

export function createSigningKeys(platform: Platform): SigningKeys {
  const lookup = createLookup((appId) => load(platform, appId), { maxAgeMs: limits.signingKeysMs });
  return { of: (appId) => lookup.get(appId), forget: (appId) => lookup.forget(appId) };
}

async function load(platform: Platform, appId: string): Promise<AppKeys> {
  const known = await store.selectSigningKeys(platform.database, appId);
  const rows = known.length > 0 ? known : await createFirst(platform, appId);
  const newest = rows[0]!;
  const privateJwk = JSON.parse(platform.secrets.open("app-jwt-key", newest.sealed_private_jwk, appId));
  const keys = rows.map(
    (row) => ({ ...row.public_jwk, kid: row.kid, use: "sig", alg: SIGNING_ALGORITHM }) as JWK,
  );
  const imported = await Promise.all(keys.map(async (jwk) => [jwk.kid!, await imports(jwk)] as const));
  return {
    signing: { kid: newest.kid, privateKey: await imports(privateJwk) },
    verifying: new Map(imported),
    jwks: { keys },
  };
}

/** An elliptic-curve JWK always gives a CryptoKey; bytes come of symmetric ones only. */
const imports = async (jwk: JWK) => (await importJWK(jwk, SIGNING_ALGORITHM)) as CryptoKey;

async function createFirst(
  { database, secrets, clock }: Platform,
  appId: string,
): Promise<store.SigningKeyRow[]> {
  const pair = await generateKeyPair(SIGNING_ALGORITHM, { extractable: true });
  const [publicJwk, privateJwk] = await Promise.all([exportJWK(pair.publicKey), exportJWK(pair.privateKey)]);
  return database.transaction(async (tx) => {
    await store.lockSigningKeys(tx, appId);
    const meanwhile = await store.selectSigningKeys(tx, appId);
    if (meanwhile.length > 0) return meanwhile;
    const key = {
      kid: newToken(12),
      public_jwk: publicJwk as Record<string, string>,
      sealed_private_jwk: secrets.seal("app-jwt-key", JSON.stringify(privateJwk), appId),
    };
    // Whoever sends a token to an app that is not there, or not any more, is told that it is no good.
    if (!(await store.insertSigningKey(tx, appId, key, new Date(clock())))) {
      throw errors.AUTH_INVALID_END_USER_JWT();
    }
    return [key];
  });
}
