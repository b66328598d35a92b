import type { Platform } from "../../engines/platform.ts";
import type { Transaction } from "../../engines/postgres/database.ts";
import { errors } from "../../kernel/errors.ts";
import { newSortableId, newToken, sha256Hex } from "../../kernel/ids.ts";
import type { GatewayPoliciesService } from "../gateway-policies/service.ts";
import type { GatewayServer } from "../gateway-servers/service.ts";
import { grantErrors } from "./errors.ts";
import { limits } from "./limits.ts";
import * as store from "./store.ts";
import type { GrantChange } from "./types.ts";

/** What people do with grants. Everything throws RESOURCE_NOT_FOUND for what is not the organisation's. */
export interface GrantManagement {
  /**
   * Makes a grant; the token is in the answer and nowhere else. Throws RESOURCE_ALREADY_EXISTS for a label that a live
   * grant of the server has, GATEWAY_POLICY_OF_ANOTHER_SERVER, GATEWAY_GRANT_EXPIRY_PAST, QUOTA_GATEWAY_GRANTS.
   */
  create(
    by: { readonly organizationId: string; readonly accountId: string },
    server: GatewayServer,
    grant: { readonly label: string; readonly policyId: string | null; readonly expiresAtMs: number | null },
    nowMs: number,
  ): Promise<Issued>;
  /** Another token in place of the one there was, which is dead at once. */
  rotate(organizationId: string, grantId: string, nowMs: number): Promise<Issued>;
  /** Changes what is given. Throws what `create` throws. */
  update(
    organizationId: string,
    grantId: string,
    change: {
      readonly label?: string | undefined;
      readonly policyId?: string | null | undefined;
      readonly expiresAtMs?: number | null | undefined;
    },
    nowMs: number,
  ): Promise<void>;
  revoke(organizationId: string, grantId: string, nowMs: number): Promise<void>;
}

/** A token in clear, once. */
export interface Issued {
  readonly grantId: string;
  readonly serverId: string;
  readonly token: string;
}

export interface ManagementDeps {
  readonly policies: Pick<GatewayPoliciesService, "hold">;
  /** Drops what is remembered of a grant and of its token. */
  forget(grant: { readonly id: string; readonly token_hash: string }): void;
  tell(grantId: string, what: GrantChange): void;
}

const TOKEN_PREFIX = "amb_gr_";
const TOKEN = /^amb_gr_[A-Za-z0-9_-]{43}$/;

/** Whether a text may be a token at all. Pure. */
export const isToken = (text: string): boolean => TOKEN.test(text);

export const noSuchGrant = (id: string) =>
  errors.RESOURCE_NOT_FOUND({
    message: `There is no live grant ${id} in this organisation.`,
    remediation: "List them: GET /v1/gateway/grants.",
  });

export function createManagement(
  { database, metrics }: Platform,
  { policies, forget, tell }: ManagementDeps,
): GrantManagement {
  const newGrantToken = () => {
    const token = `${TOKEN_PREFIX}${newToken(limits.tokenBytes)}`;
    return { token, hash: sha256Hex(token) };
  };
  const refusePast = (expiresAtMs: number | null | undefined, nowMs: number) => {
    if (typeof expiresAtMs === "number" && expiresAtMs <= nowMs)
      throw grantErrors.GATEWAY_GRANT_EXPIRY_PAST();
  };
  const demandLabel = async (
    tx: Transaction,
    grant: Pick<store.GrantRow, "id" | "server_id" | "label">,
    nowMs: number,
  ): Promise<void> => {
    if (await store.freeLabel(tx, grant, new Date(nowMs))) return;
    throw errors.RESOURCE_ALREADY_EXISTS({
      message: `The server has a live grant called ${grant.label}.`,
      remediation: "Choose another label, or rotate or revoke that grant.",
    });
  };
  /** Changes an unrevoked grant. What is remembered of it goes, whatever comes of the transaction. */
  const changing = async <T>(
    organizationId: string,
    grantId: string,
    what: GrantChange,
    work: (tx: Transaction, grant: store.GrantRow) => Promise<T>,
  ): Promise<T> => {
    let locked: store.GrantRow | null = null;
    try {
      const result = await database.transaction(async (tx) => {
        await store.lockGrants(tx, organizationId);
        locked = await store.lockGrant(tx, organizationId, grantId);
        if (locked === null) throw noSuchGrant(grantId);
        return work(tx, locked);
      });
      if (locked !== null) forget(locked);
      tell(grantId, what);
      return result;
    } catch (error) {
      if (locked !== null) forget(locked);
      throw error;
    }
  };

  return {
    async create({ organizationId, accountId }, server, { label, policyId, expiresAtMs }, nowMs) {
      refusePast(expiresAtMs, nowMs);
      const { token, hash } = newGrantToken();
      const id = newSortableId("gra", nowMs);
      const grant = {
        ...{ id, organization_id: organizationId, server_id: server.id, policy_id: policyId, label },
        ...{ account_id: accountId, token_hash: hash, created_at: new Date(nowMs) },
        expires_at: expiresAtMs === null ? null : new Date(expiresAtMs),
      };
      await database.transaction(async (tx) => {
        await store.lockGrants(tx, organizationId);
        if ((await store.countGrants(tx, server.id)) >= limits.grantsPerServer) {
          metrics.limitsHit.inc({ limit: "gateway_grants" });
          throw grantErrors.QUOTA_GATEWAY_GRANTS();
        }
        await demandLabel(tx, grant, nowMs);
        if (policyId !== null) await policies.hold(tx, policyId, { organizationId, serverId: server.id });
        if (await store.insertGrant(tx, grant)) return;
        throw errors.AUTH_INSUFFICIENT_PERMISSIONS({ message: "You are not a member of the organisation." });
      });
      return { grantId: id, serverId: server.id, token };
    },
    async rotate(organizationId, grantId, nowMs) {
      const { token, hash } = newGrantToken();
      const serverId = await changing(organizationId, grantId, "rotated", async (tx, grant) => {
        await store.replaceToken(tx, grantId, hash, new Date(nowMs));
        return grant.server_id;
      });
      return { grantId, serverId, token };
    },
    async update(organizationId, grantId, { label, policyId, expiresAtMs }, nowMs) {
      refusePast(expiresAtMs, nowMs);
      await changing(organizationId, grantId, "changed", async (tx, grant) => {
        const next = {
          id: grantId,
          label: label ?? grant.label,
          policy_id: policyId === undefined ? grant.policy_id : policyId,
          expires_at: expiresAtMs === undefined ? grant.expires_at : dateOf(expiresAtMs),
        };
        if (next.label !== grant.label) await demandLabel(tx, { ...next, server_id: grant.server_id }, nowMs);
        if (next.policy_id !== null && next.policy_id !== grant.policy_id) {
          await policies.hold(tx, next.policy_id, { organizationId, serverId: grant.server_id });
        }
        await store.updateGrant(tx, next);
      });
    },
    revoke: (organizationId, grantId, nowMs) =>
      changing(organizationId, grantId, "revoked", (tx) => store.markRevoked(tx, grantId, new Date(nowMs))),
  };
}

const dateOf = (ms: number | null): Date | null => (ms === null ? null : new Date(ms));
