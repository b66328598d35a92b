import type { AddressInfo } from "node:net";
import { registerOperationRoutes } from "../../../doors/http/operation-routes.ts";
import { createHttpServer } from "../../../doors/http/server.ts";
import { newUuid } from "../../../kernel/ids.ts";
import { createLog } from "../../../kernel/log.ts";
import { Metrics } from "../../../kernel/metrics.ts";
import { createPipeline } from "../../../kernel/pipeline.ts";
import type { KeyPrincipal } from "../../../kernel/principal.ts";
import { type Caller, callerOf } from "../../../testing/caller.ts";
import { type GrantStand, grantStand } from "../../gateway-grants/testing/stand.ts";
import type { GatewayServer } from "../../gateway-servers/service.ts";
import { createLedger } from "../../ledger/index.ts";
import { judgingOperations } from "../judging-operations.ts";
import { decisionOperations } from "../operations.ts";
import { createDecisionsService, type GatewayDecisions } from "../service.ts";
import type { DecisionRecord } from "../types.ts";
import type { DecisionView } from "../wire.ts";

/** The decision log on a real database, with real grants and policies. */
export interface DecisionStand extends Omit<GrantStand, "caller"> {
  readonly decisions: GatewayDecisions;
  /** Calls the log's operations, and those of grants, as an owner in person; `over` changes the key. */
  readonly caller: Caller;
  /** A grant for a server; its id. */
  grant(serverId: string, policyId?: string | null): Promise<string>;
  /** Records a decision of the stand's organisation; its id. */
  record(more: Partial<DecisionRecord> & Pick<DecisionRecord, "grantId" | "serverId">): Promise<string>;
  /** The log as it is listed. */
  list(filter?: Record<string, unknown>): Promise<{ decisions: DecisionView[]; next_before: string | null }>;
  /** Says whether a server keeps values, for replays. */
  captures(serverId: string): void;
  /** A real HTTP server with the log's operations; every caller is this key. */
  http(key: Partial<KeyPrincipal>): Promise<{ url: string; close(): Promise<void> }>;
}

export async function decisionStand(): Promise<DecisionStand> {
  const world = await grantStand();
  const { policies, grants, organizationId } = world;
  const platform = { ...world.platform, clock: world.now, metrics: new Metrics() };
  const ledger = createLedger(platform).service;
  const capturing = new Set<string>();
  const servers = {
    async named(organization: string, reference: string): Promise<GatewayServer> {
      const server = await world.servers.named(organization, reference);
      return { ...server, capturesValues: capturing.has(server.id) };
    },
  };
  const decisions = createDecisionsService(platform, { ledger, policies, servers, grants });
  decisions.start();
  const operations = [...decisionOperations(decisions), ...judgingOperations(decisions)];
  const caller = callerOf(operations, { organizationId, ...world.owner }, world.now);
  return {
    ...world,
    platform,
    ledger,
    decisions,
    caller,
    async grant(serverId, policyId = null) {
      const { grant_id } = await world.caller.call<{ grant_id: string }>("gateway.create_grant", {
        ...{ server_id: serverId, label: `grant ${newUuid()}` },
        ...(policyId === null ? {} : { policy_id: policyId }),
      });
      return grant_id;
    },
    record: (more) =>
      decisions.record({
        ...{ organizationId, requestId: `req_${newUuid()}`, method: "tools/call", tool: "read" },
        ...{ policyId: null, policyVersion: null, outcome: "allow", rule: "", message: null },
        ...{ argumentKeys: [], approvalId: null, ...more },
      }),
    list: (filter = {}) => caller.call("gateway.list_decisions", filter),
    captures: (serverId) => void capturing.add(serverId),
    async http(key) {
      const fastify = createHttpServer({
        ...{ log: createLog("silent"), baseDomain: "localhost", trustedProxies: 0 },
        ...{ publicUrl: () => "http://127.0.0.1:4000", findApp: async () => null },
      });
      registerOperationRoutes(fastify, {
        operations,
        pipeline: createPipeline({ findApp: async () => null, record: async () => {} }),
        resolvePrincipal: async () => ({
          ...{ kind: "key", keyId: newUuid(), keyKind: "person", accountId: newUuid(), role: "owner" },
          ...{ organizationId, scopes: ["*"], expiresAtMs: null, ...key },
        }),
        findApp: async () => null,
        clock: world.now,
      });
      await fastify.listen({ host: "127.0.0.1", port: 0 });
      const { port } = fastify.server.address() as AddressInfo;
      return { url: `http://127.0.0.1:${port}`, close: () => fastify.close() };
    },
    async stop() {
      await decisions.stop();
      await world.stop();
    },
  };
}
