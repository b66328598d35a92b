import { timingSafeEqual } from "node:crypto";
import type { Platform } from "../../engines/platform.ts";
import type { Queryable } from "../../engines/postgres/database.ts";
import { newDigits, newToken, sha256Hex } from "../../kernel/ids.ts";
import * as store from "./code-store.ts";
import { authErrors } from "./errors.ts";
import { limits } from "./limits.ts";

export type { CodeKey, CodePurpose } from "./code-store.ts";

/** A code somebody entered rightly, not yet spent. */
export interface ProvenCode {
  readonly key: store.CodeKey;
  readonly hash: string;
  /** Of a repeated sign-up: the password that counts from now on. */
  readonly passwordHash: string | null;
}

/**
 * One-time codes: six digits to type, and an opaque token for links, either of which stands for the same proof. Kept
 * as hashes, five entries each, bound to app, purpose and address; a new one voids the older one.
 */
export interface OneTimeCodes {
  issue(key: store.CodeKey, passwordHash?: string | null): Promise<{ code: string; token: string }>;
  /** Checks an entry; throws AUTH_INVALID_CODE. The code stays usable until `spend`. */
  prove(key: store.CodeKey, code: string): Promise<ProvenCode>;
  proveToken(appId: string, purpose: store.CodePurpose, token: string): Promise<ProvenCode>;
  /** Uses the code up; throws AUTH_INVALID_CODE for all but the first of several callers. */
  spend(db: Queryable, proven: ProvenCode): Promise<void>;
}

const LIFETIME_MS: Record<store.CodePurpose, number> = {
  verify: limits.verifyCodeMs,
  reset: limits.resetCodeMs,
  magic: limits.magicCodeMs,
};

export function createOneTimeCodes({ database, secrets, clock }: Platform): OneTimeCodes {
  // Keyed: six digits alone could be found from a plain hash by trying a million.
  const hashOf = (key: store.CodeKey, code: string) =>
    secrets.derive("auth-code", [key.appId, key.purpose, key.email, code].join("\n"));
  return {
    async issue(key, passwordHash = null) {
      const [code, token, nowMs] = [newDigits(limits.codeDigits), newToken(), clock()];
      await store.upsertCode(database, key, {
        codeHash: hashOf(key, code),
        tokenHash: sha256Hex(token),
        passwordHash,
        now: new Date(nowMs),
        expiresAt: new Date(nowMs + LIFETIME_MS[key.purpose]),
      });
      return { code, token };
    },
    async prove(key, code) {
      const row = await store.countAttempt(database, key, limits.codeAttempts, new Date(clock()));
      const hash = hashOf(key, code);
      if (row === null || !timingSafeEqual(Buffer.from(row.code_hash), Buffer.from(hash))) {
        throw authErrors.AUTH_INVALID_CODE();
      }
      return { key, hash, passwordHash: row.password_hash };
    },
    async proveToken(appId, purpose, token) {
      const row = await store.selectByToken(database, appId, purpose, sha256Hex(token), new Date(clock()));
      if (row === null) throw authErrors.AUTH_INVALID_CODE();
      return {
        key: { appId, purpose, email: row.email },
        hash: row.code_hash,
        passwordHash: row.password_hash,
      };
    },
    async spend(db, { key, hash }) {
      if (!(await store.deleteCode(db, key, hash))) throw authErrors.AUTH_INVALID_CODE();
    },
  };
}
