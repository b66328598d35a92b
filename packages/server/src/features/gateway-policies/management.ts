import type { Platform } from "../../engines/platform.ts";
import type { Queryable, Transaction } from "../../engines/postgres/database.ts";
import { errors } from "../../kernel/errors.ts";
import { newUuid } from "../../kernel/ids.ts";
import type { GatewayServer, GatewayServersService } from "../gateway-servers/service.ts";
import type { LedgerService } from "../ledger/service.ts";
import type { Checked, DocumentCheck } from "./check.ts";
import { hashOf, isIntact, isSame } from "./document.ts";
import { policyErrors } from "./errors.ts";
import { limits } from "./limits.ts";
import * as store from "./store.ts";
import type { Author, PolicyUser, Written } from "./types.ts";

/** What people do with policies. */
export interface PolicyManagement {
  /** Throws POLICY_INVALID, RESOURCE_ALREADY_EXISTS, QUOTA_GATEWAY_POLICIES. */
  create(
    by: Author,
    server: GatewayServer,
    policy: { name: string; document: unknown },
    nowMs: number,
  ): Promise<Written>;
  /**
   * Makes the next version; none when the document is the one that holds already. Throws RESOURCE_NOT_FOUND,
   * POLICY_INVALID, GATEWAY_POLICY_CHANGED when another version than `expectedVersion` holds.
   */
  update(
    by: Author,
    policyId: string,
    edit: { document: unknown; expectedVersion: number | null },
    nowMs: number,
  ): Promise<Written>;
  /** Throws RESOURCE_NOT_FOUND, GATEWAY_POLICY_IN_USE. */
  remove(organizationId: string, policyId: string, nowMs: number): Promise<void>;
}

export interface ManagementDeps {
  readonly servers: Pick<GatewayServersService, "named">;
  readonly ledger: Pick<LedgerService, "append">;
  readonly check: DocumentCheck;
  usersOf(db: Queryable, policyId: string): Promise<readonly PolicyUser[]>;
  /** A policy was edited or deleted, or may have been. */
  changed(policyId: string): void;
}

export const noSuchPolicy = (id: string) =>
  errors.RESOURCE_NOT_FOUND({
    message: `There is no policy ${id} in this organisation.`,
    remediation: "List them: GET /v1/gateway/policies.",
  });

export function createManagement(
  { database, metrics }: Platform,
  { servers, ledger, check, usersOf, changed }: ManagementDeps,
): PolicyManagement {
  const write = async (
    tx: Transaction,
    by: Author,
    policy: { id: string; server_id: string; name: string },
    version: number,
    text: string,
    nowMs: number,
  ) => {
    const document_sha256 = hashOf(text);
    await store.insertVersion(tx, {
      ...{ policy_id: policy.id, version, document: text, document_sha256 },
      ...{ created_at: new Date(nowMs), account_id: by.accountId, key_id: by.keyId },
    });
    ledger.append(tx, {
      kind: "gateway.policy.changed",
      organizationId: by.organizationId,
      actor: { type: "person", id: by.keyId, account: by.accountId },
      subject: policy.id,
      data: { policy_id: policy.id, server_id: policy.server_id, version, document_sha256 },
      sealed: { name: policy.name, document: text },
    });
  };
  /** Tells of the change whatever comes of the transaction: of one whose end is not known, it may have been made. */
  const changing = async <T>(policyId: string, work: (tx: Transaction) => Promise<T>): Promise<T> => {
    try {
      return await database.transaction(work);
    } finally {
      changed(policyId);
    }
  };
  const refuse = (limit: string, error: Error): never => {
    metrics.limitsHit.inc({ limit });
    throw error;
  };
  return {
    async create(by, server, { name, document }, nowMs) {
      const { text, warnings } = await check.demand(document, server);
      const policy = { id: newUuid(), organization_id: by.organizationId, server_id: server.id, name };
      await database.transaction(async (tx) => {
        await store.lockServer(tx, server.id);
        if ((await store.countPolicies(tx, server.id)) >= limits.policiesPerServer) {
          refuse("gateway_policies", policyErrors.QUOTA_GATEWAY_POLICIES());
        }
        if (!(await store.insertPolicy(tx, policy, new Date(nowMs)))) {
          throw errors.RESOURCE_ALREADY_EXISTS({
            message: `The server has a policy called ${name} already.`,
            remediation: "Edit that one (PUT /v1/gateway/policies/<id>), or choose another name.",
          });
        }
        await write(tx, by, policy, 1, text, nowMs);
      });
      return { policyId: policy.id, version: 1, warnings };
    },
    async update(by, policyId, { document, expectedVersion }, nowMs) {
      const found = await store.selectPolicy(database, policyId);
      if (found?.organization_id !== by.organizationId) throw noSuchPolicy(policyId);
      const checked: Checked = await check.demand(
        document,
        await servers.named(by.organizationId, found.server_id),
      );
      const version = await changing(policyId, async (tx) => {
        const policy = await store.lockPolicy(tx, by.organizationId, policyId);
        if (policy === null) throw noSuchPolicy(policyId);
        if (expectedVersion !== null && expectedVersion !== policy.version) {
          throw policyErrors.GATEWAY_POLICY_CHANGED({
            message: `Version ${policy.version} holds, not ${expectedVersion}.`,
            details: { version: policy.version, expected_version: expectedVersion },
          });
        }
        const present = await store.selectVersion(tx, policyId, policy.version);
        if (present !== null && isIntact(present) && isSame(present.document, checked.text))
          return policy.version;
        if (policy.version >= limits.versions) {
          refuse("gateway_policy_versions", policyErrors.QUOTA_GATEWAY_POLICY_VERSIONS());
        }
        const next = policy.version + 1;
        await write(tx, by, policy, next, checked.text, nowMs);
        await store.setVersion(tx, policyId, next, new Date(nowMs));
        return next;
      });
      return { policyId, version, warnings: checked.warnings };
    },
    async remove(organizationId, policyId, nowMs) {
      await changing(policyId, async (tx) => {
        const policy = await store.lockPolicy(tx, organizationId, policyId);
        if (policy === null) throw noSuchPolicy(policyId);
        const grants = await usersOf(tx, policyId);
        if (grants.length > 0) {
          throw policyErrors.GATEWAY_POLICY_IN_USE({
            message: `${grants.length === 1 ? "A grant has" : `${grants.length} grants have`} this policy.`,
            details: { grants: grants.map(({ id, label }) => ({ grant_id: id, label })) },
          });
        }
        await store.markDeleted(tx, policyId, new Date(nowMs));
      });
    },
  };
}
