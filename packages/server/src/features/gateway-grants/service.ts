import { grantCounters } from "@ambit/policy";
import type { Platform } from "../../engines/platform.ts";
import { createLookup } from "../../kernel/cache.ts";
import { sha256Hex } from "../../kernel/ids.ts";
import type { GatewayPoliciesService } from "../gateway-policies/service.ts";
import type { GatewayQuotasService } from "../gateway-quotas/service.ts";
import type { GatewayServer, GatewayServersService } from "../gateway-servers/service.ts";
import { createLastUsed } from "./last-used.ts";
import { limits } from "./limits.ts";
import { createManagement, type GrantManagement, isToken, noSuchGrant } from "./management.ts";
import * as store from "./store.ts";
import type { GatewayGrantsService, Grant, GrantChange, GrantsOfServers } from "./types.ts";

export * from "./types.ts";

export interface GrantsDeps {
  readonly servers: Pick<GatewayServersService, "named" | "onChanged">;
  readonly policies: Pick<GatewayPoliciesService, "hold" | "usersFrom">;
  readonly quotas: Pick<GatewayQuotasService, "used">;
}

/** A grant as people see it, with how full its counters are. */
export interface ShownGrant {
  readonly row: store.ListedGrant;
  readonly used: readonly { counter: string; windowStart: Date; used: number }[];
}

/** Grants with what their own operations do. */
export interface GatewayGrants extends GatewayGrantsService, GrantsOfServers, GrantManagement {
  /** One of the organisation's own servers: its UUID, or `ambit`. Throws RESOURCE_NOT_FOUND. */
  server(organizationId: string, reference: string): Promise<GatewayServer>;
  /** Unrevoked grants, newest first. */
  list(
    organizationId: string,
    filter: { serverId: string | null; before: string | null; limit: number },
  ): Promise<store.ListedGrant[]>;
  /** A grant, revoked or not. Throws RESOURCE_NOT_FOUND. */
  show(organizationId: string, grantId: string, nowMs: number): Promise<ShownGrant>;
  /** Writes the last uses that are due. */
  flush(): Promise<void>;
  start(): void;
  stop(): Promise<void>;
}

export function createGrantsService(platform: Platform, deps: GrantsDeps): GatewayGrants {
  const { database, clock } = platform;
  const { servers, policies, quotas } = deps;
  const bounds = { maxEntries: limits.cachedTokens };
  const byHash = createLookup(async (hash) => grantOf(await store.selectLive(database, { hash })), bounds);
  const byId = createLookup(async (id) => grantOf(await store.selectLive(database, { id })), bounds);
  const labels = createLookup((id) => store.selectLabel(database, id), { maxAgeMs: limits.labelCacheMs });
  const lastUsed = createLastUsed(platform);
  const listeners = new Set<(grantId: string, what: GrantChange) => void>();

  policies.usersFrom((db, policyId) => store.selectUsers(db, policyId));
  // With a server go its grants.
  servers.onChanged(() => {
    byHash.forget();
    byId.forget();
  });
  const management = createManagement(platform, {
    policies,
    forget({ id, token_hash }) {
      byHash.forget(token_hash);
      byId.forget(id);
      labels.forget(id);
    },
    tell(grantId, what) {
      for (const listener of listeners) listener(grantId, what);
    },
  });

  return {
    ...management,
    async resolve(token, nowMs) {
      if (!isToken(token)) return null;
      const grant = await byHash.get(sha256Hex(token));
      if (grant === null || isOver(grant, nowMs)) return null;
      lastUsed.note(grant.id, nowMs);
      return grant;
    },
    async byId(grantId) {
      const grant = await byId.get(grantId);
      return grant === null || isOver(grant, clock()) ? null : grant;
    },
    labelOf: (grantId) => labels.get(grantId),
    async idsOfServer(serverId, most) {
      const ids = await store.selectIdsOfServer(database, serverId, most + 1);
      return ids.length > most ? null : ids;
    },
    onChanged: (listener) => void listeners.add(listener),
    server: (organizationId, reference) => servers.named(organizationId, reference),
    list: (organizationId, filter) => store.selectGrants(database, organizationId, filter),
    async show(organizationId, grantId, nowMs) {
      const row = await store.selectGrant(database, organizationId, grantId);
      if (row === null) throw noSuchGrant(grantId);
      const prefix = grantCounters(grantId);
      const used = await quotas.used(prefix, nowMs);
      return {
        row,
        used: used.map(({ key, ...rest }) => ({ counter: key.slice(prefix.length), ...rest })),
      };
    },
    flush: () => lastUsed.flush(),
    start: () => lastUsed.start(),
    stop: () => lastUsed.stop(),
  };
}

const isOver = ({ expiresAtMs }: Grant, nowMs: number): boolean =>
  expiresAtMs !== null && expiresAtMs <= nowMs;

function grantOf(row: store.GrantRow | null): Grant | null {
  if (row === null) return null;
  return {
    id: row.id,
    organizationId: row.organization_id,
    serverId: row.server_id,
    policyId: row.policy_id,
    label: row.label,
    accountId: row.account_id,
    expiresAtMs: row.expires_at?.getTime() ?? null,
    rotation: row.rotation,
  };
}
