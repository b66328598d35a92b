import type { Platform } from "../../engines/platform.ts";
import type { Queryable } from "../../engines/postgres/database.ts";
import { createLookup } from "../../kernel/cache.ts";
import { errors } from "../../kernel/errors.ts";
import { newSecret, newUuid, sha256Hex } from "../../kernel/ids.ts";
import type { KeyKind, KeyPrincipal, Role } from "../../kernel/principal.ts";
import { keyErrors } from "./errors.ts";
import { limits } from "./limits.ts";
import * as store from "./store.ts";

/** What `mint` is asked to make. */
export interface KeyOrder {
  readonly organizationId: string;
  readonly accountId: string;
  readonly kind: KeyKind;
  readonly name: string;
  readonly scope: "app" | "substrate" | "both";
  readonly scopes: readonly string[];
  readonly expiresAtMs: number | null;
}

export interface KeysService {
  /** The principal behind a `bb_sk_…` or `bb_sub_…` token, or null. A revocation shows within a second. */
  resolve(token: string): Promise<KeyPrincipal | null>;
  /**
   * The principal behind a key's id as it is this moment, with its member's role of today; null when the key is
   * unknown, revoked or expired. Asks the database each time.
   */
  byId(keyId: string): Promise<KeyPrincipal | null>;
  /** What a key is called, for people to read, live or not; null when there is none. Kept in memory: a name is for ever. */
  nameOf(keyId: string): Promise<string | null>;
  /** Makes a key; the clear text is in the answer and nowhere else. */
  mint(db: Queryable, order: KeyOrder): Promise<{ key: string } & store.KeyRow>;
  /** Live keys: the account's own, or the whole organisation's with `accountId` null. */
  list(organizationId: string, accountId: string | null): Promise<store.KeyRow[]>;
  revoke(id: string): Promise<void>;
  /** Called with the key id whenever this node revokes a key. */
  onRevoked(listener: (keyId: string) => void): void;
  /** Drops cached principals, e.g. after a member's role changed. */
  forget(): void;
}

export function createKeysService({ database, clock, log }: Platform): KeysService {
  const byHash = createLookup((hash) => load(database, hash));
  const names = createLookup((id) => store.selectName(database, id), { maxAgeMs: limits.nameCacheMs });
  const touchedAtMs = new Map<string, number>();
  const listeners = new Set<(keyId: string) => void>();
  const touch = (id: string) => {
    const now = clock();
    if (now - (touchedAtMs.get(id) ?? 0) < limits.lastUsedEveryMs) return;
    touchedAtMs.set(id, now);
    store.touchKey(database, id).catch((error) => log.warn({ error }, "last use of a key was not written"));
  };
  return {
    async resolve(token) {
      const principal = await byHash.get(sha256Hex(token));
      if (principal === null) return null;
      if (principal.expiresAtMs !== null && principal.expiresAtMs <= clock()) return null;
      touch(principal.keyId);
      return principal;
    },
    async byId(keyId) {
      const row = await store.selectById(database, keyId);
      const principal = row === null ? null : principalOf(row);
      if (principal?.expiresAtMs != null && principal.expiresAtMs <= clock()) return null;
      return principal;
    },
    nameOf: (keyId) => names.get(keyId),
    async mint(db, order) {
      const owned = await store.selectKeys(db, order.organizationId, order.accountId);
      if (owned.length >= limits.keysPerAccount) throw keyErrors.QUOTA_KEYS();
      const key = newSecret(order.scope === "substrate" ? "bb_sub" : "bb_sk");
      const row = await store.insertKey(db, {
        id: newUuid(),
        organization_id: order.organizationId,
        account_id: order.accountId,
        kind: order.kind,
        name: order.name,
        hash: sha256Hex(key),
        prefix: key.slice(0, 12),
        scope: order.scope,
        scopes: [...order.scopes],
        expires_at: order.expiresAtMs === null ? null : new Date(order.expiresAtMs),
      });
      if (row === null) throw keyErrors.NOT_A_MEMBER();
      return { key, ...row };
    },
    list: (organizationId, accountId) => store.selectKeys(database, organizationId, accountId),
    async revoke(id) {
      await store.revokeKey(database, id);
      byHash.forget();
      touchedAtMs.delete(id);
      for (const listener of listeners) listener(id);
    },
    onRevoked: (listener) => void listeners.add(listener),
    forget: () => byHash.forget(),
  };
}

async function load(database: Queryable, hash: string): Promise<KeyPrincipal | null> {
  const row = await store.selectByHash(database, hash);
  return row === null ? null : principalOf(row);
}

function principalOf(row: store.KeyRow & { role: Role }): KeyPrincipal {
  return {
    kind: "key",
    keyId: row.id,
    keyKind: row.kind,
    accountId: row.account_id,
    organizationId: row.organization_id,
    role: row.role,
    scopes: effectiveScopes(row),
    expiresAtMs: row.expires_at?.getTime() ?? null,
  };
}

/** What the key opens: for the substrate alone no app, whatever else it was given; for both, the substrate too. */
function effectiveScopes({ scope, scopes }: store.KeyRow): readonly string[] {
  if (scope === "substrate") return ["substrate", ...scopes.filter((each) => each === "read")];
  return scope === "both" && !scopes.includes("substrate") ? [...scopes, "substrate"] : scopes;
}

/** The key the caller means, if it may revoke it: its own account's, or any with the right to administer. */
export function revocable(caller: KeyPrincipal, keys: readonly store.KeyRow[], id: string): store.KeyRow {
  const key = keys.find((each) => each.id === id);
  if (key === undefined) {
    throw errors.RESOURCE_NOT_FOUND({
      message: "There is no such live key.",
      remediation: "List the keys first: GET /api-keys.",
    });
  }
  if (key.kind === "person" && caller.keyKind !== "person") {
    throw errors.AUTH_PERSON_REQUIRED({ message: "Only a person may revoke a person's key." });
  }
  return key;
}
