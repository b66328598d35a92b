import type { Problem } from "@ambit/policy";
import type { Platform } from "../../engines/platform.ts";
import type { Queryable } from "../../engines/postgres/database.ts";
import { createLookup } from "../../kernel/cache.ts";
import { errors } from "../../kernel/errors.ts";
import type { GatewayServer, GatewayServersService } from "../gateway-servers/service.ts";
import type { LedgerService } from "../ledger/service.ts";
import { type Checked, createDocumentCheck } from "./check.ts";
import { policyErrors } from "./errors.ts";
import { limits } from "./limits.ts";
import { createManagement, noSuchPolicy, type PolicyManagement } from "./management.ts";
import { createReadyVersions } from "./ready.ts";
import * as store from "./store.ts";
import type { CurrentPolicy, GatewayPoliciesService, PolicyUser } from "./types.ts";

export * from "./types.ts";

export interface PoliciesDeps {
  readonly servers: Pick<GatewayServersService, "named" | "tools" | "onChanged">;
  readonly ledger: Pick<LedgerService, "append">;
}

/** A policy as people see it. */
export interface ShownPolicy {
  readonly row: store.PolicyRow;
  readonly version: store.VersionRow;
  readonly warnings: readonly Problem[];
  readonly users: readonly PolicyUser[];
}

/** Policies with what their own operations do. */
export interface GatewayPolicies extends GatewayPoliciesService, PolicyManagement {
  /** One of the organisation's own servers: its UUID, or `ambit`. Throws RESOURCE_NOT_FOUND. */
  server(organizationId: string, reference: string): Promise<GatewayServer>;
  /** Every problem of a document; against a server's tools when one is named. */
  look(organizationId: string, document: unknown, server: string | null): Promise<Checked>;
  /** Throws RESOURCE_NOT_FOUND. */
  show(organizationId: string, policyId: string): Promise<ShownPolicy>;
  list(
    organizationId: string,
    filter: { serverId: string | null; before: string | null; limit: number },
  ): Promise<store.ListedRow[]>;
  /** Throws RESOURCE_NOT_FOUND. */
  versions(
    organizationId: string,
    policyId: string,
    before: number | null,
    limit: number,
  ): ReturnType<typeof store.selectVersions>;
  /** One version as it was written, also of a deleted policy. Throws RESOURCE_NOT_FOUND. */
  written(organizationId: string, policyId: string, version: number): Promise<store.VersionRow>;
}

export function createPoliciesService(
  platform: Platform,
  { servers, ledger }: PoliciesDeps,
): GatewayPolicies {
  const { database } = platform;
  const ready = createReadyVersions(database);
  const listeners = new Set<(policyId: string) => void>();
  let findUsers: (db: Queryable, policyId: string) => Promise<readonly PolicyUser[]> = async () => [];

  const readyOf = async (row: store.PolicyRow, version: number): Promise<CurrentPolicy | null> => {
    const compiled = await ready(row.id, version);
    if (compiled === null) return null;
    return { policyId: row.id, name: row.name, serverId: row.server_id, version, compiled };
  };
  const current = createLookup<CurrentPolicy | null>(async (policyId) => {
    const row = await store.selectPolicy(database, policyId);
    if (row === null) return null;
    const policy = await readyOf(row, row.version);
    if (policy === null) throw policyErrors.GATEWAY_POLICY_BROKEN();
    return policy;
  });
  // Whatever becomes of a server may concern any of its policies.
  servers.onChanged(() => current.forget());

  const check = createDocumentCheck(platform, servers);
  const management = createManagement(platform, {
    ...{ servers, ledger, check },
    usersOf: (db, policyId) => findUsers(db, policyId),
    changed(policyId) {
      current.forget(policyId);
      for (const listener of listeners) listener(policyId);
    },
  });
  const rowOf = async (
    organizationId: string,
    policyId: string,
    deleted = false,
  ): Promise<store.PolicyRow> => {
    const row = await (deleted ? store.selectAnyPolicy : store.selectPolicy)(database, policyId);
    if (row?.organization_id !== organizationId) throw noSuchPolicy(policyId);
    return row;
  };
  const writtenOf = async (policyId: string, version: number) => {
    const row = await store.selectVersion(database, policyId, version);
    if (row !== null) return row;
    throw errors.RESOURCE_NOT_FOUND({
      message: `The policy has no version ${version}.`,
      remediation: "List them: GET /v1/gateway/policies/<id>/versions.",
    });
  };

  return {
    ...management,
    server: (organizationId, reference) => servers.named(organizationId, reference),
    current: (policyId) => current.get(policyId),
    peek: (policyId) => current.peek(policyId),
    async version(policyId, version) {
      const row = await store.selectAnyPolicy(database, policyId);
      return row === null ? null : readyOf(row, version);
    },
    async hold(tx, policyId, { organizationId, serverId }) {
      const row = await store.sharePolicy(tx, organizationId, policyId);
      if (row === null) throw noSuchPolicy(policyId);
      if (row.server_id !== serverId) throw policyErrors.GATEWAY_POLICY_OF_ANOTHER_SERVER();
    },
    usersFrom(find) {
      findUsers = find;
    },
    onChanged: (listener) => void listeners.add(listener),
    look: async (organizationId, document, server) =>
      check.look(document, server === null ? null : await servers.named(organizationId, server)),
    async show(organizationId, policyId) {
      const row = await rowOf(organizationId, policyId);
      const [version, server, users] = await Promise.all([
        writtenOf(policyId, row.version),
        servers.named(organizationId, row.server_id),
        findUsers(database, policyId),
      ]);
      const { warnings } = await check.look(version.document, server);
      return { row, version, warnings, users };
    },
    list: (organizationId, filter) => store.selectPolicies(database, organizationId, filter),
    async versions(organizationId, policyId, before, limit) {
      await rowOf(organizationId, policyId, true);
      return store.selectVersions(database, policyId, before, Math.min(limit, limits.listed));
    },
    async written(organizationId, policyId, version) {
      await rowOf(organizationId, policyId, true);
      return writtenOf(policyId, version);
    },
  };
}
