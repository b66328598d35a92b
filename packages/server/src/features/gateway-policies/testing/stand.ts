import type { Platform } from "../../../engines/platform.ts";
import { Database } from "../../../engines/postgres/database.ts";
import { migrate } from "../../../engines/postgres/migrate.ts";
import { newUuid } from "../../../kernel/ids.ts";
import { Metrics } from "../../../kernel/metrics.ts";
import type { KeyPrincipal, Role } from "../../../kernel/principal.ts";
import { type Caller, callerOf } from "../../../testing/caller.ts";
import { type TestPlatform, testPlatform } from "../../../testing/platform.ts";
import { createGatewayServersService, type GatewayServers } from "../../gateway-servers/service.ts";
import { startMcpServer, type TestMcpServer, tool } from "../../gateway-servers/testing/mcp-server.ts";
import { createLedger } from "../../ledger/index.ts";
import type { LedgerService } from "../../ledger/service.ts";
import { policyOperations } from "../operations.ts";
import { policyReadOperations } from "../read-operations.ts";
import { createPoliciesService, type GatewayPolicies } from "../service.ts";

/** One process of Ambit, as far as policies go. */
export interface Node {
  readonly platform: Platform;
  readonly servers: GatewayServers;
  readonly ledger: LedgerService;
  readonly policies: GatewayPolicies;
}

/** Policies on a real database, with a real ledger, for servers that are a real one. */
export interface PolicyStand extends TestPlatform, Node {
  /** What every server leads to; lists `read` and `list` unless a test says otherwise. */
  readonly mcp: TestMcpServer;
  /** Another node on the same database, with connections of its own. */
  node(): Node;
  /** Makes a server; returns its id. */
  server(organizationId?: string): Promise<string>;
  organization(): Promise<string>;
  /** Calls operations as a member of the stand's organisation. */
  readonly caller: Caller;
  /** What makes another caller of the same operations. */
  member(role: Role, organizationId?: string): Promise<Partial<KeyPrincipal>>;
  /** The ledger's entries about something, first ones first, and what they sealed. */
  entries(
    subject: string,
  ): Promise<{ kind: string; actor: unknown; data: Record<string, unknown>; sealed: object }[]>;
}

const FEATURES = ["gateway-servers", "gateway-policies", "gateway-quotas", "gateway-grants"];

export async function policyStand(): Promise<PolicyStand> {
  const world = await testPlatform();
  const mcp = await startMcpServer(tool("read"), tool("list"));
  const config = { ...world.platform.config, allowPrivateFetch: [mcp.host] };
  const { database } = world.platform;
  await migrate(
    database,
    FEATURES.map((feature) => ({
      feature,
      directory: new URL(`../../${feature}/migrations/`, import.meta.url),
    })),
  );
  const opened: Database[] = [];
  const running: GatewayServers[] = [];
  const nodeOn = (platform: Platform): Node => {
    const ledger = createLedger(platform).service;
    const servers = createGatewayServersService(platform, { ledger, builtinTools: () => [{ name: "read" }] });
    running.push(servers);
    return { platform, servers, ledger, policies: createPoliciesService(platform, { servers, ledger }) };
  };
  const first = nodeOn({ ...world.platform, config });
  const operations = [...policyReadOperations(first.policies), ...policyOperations(first.policies)];
  return {
    ...world,
    ...first,
    mcp,
    node() {
      const own = new Database(database.target, () => "", world.platform.log);
      opened.push(own);
      return nodeOn({ ...world.platform, config, database: own, metrics: new Metrics() });
    },
    async server(organizationId = world.organizationId) {
      const id = newUuid();
      await database.query(
        `insert into ambit.gateway_servers (id, organization_id, name, transport, url, created_at, updated_at)
         values ($1, $2, $3, 'http', $4, now(), now())`,
        [id, organizationId, `server ${id}`, mcp.url],
      );
      return id;
    },
    async organization() {
      const id = newUuid();
      await database.query("insert into ambit.organizations (id, name) values ($1, 'Another')", [id]);
      return id;
    },
    caller: callerOf(operations, { organizationId: world.organizationId }),
    async member(role, organizationId = world.organizationId) {
      const accountId = newUuid();
      await database.query("insert into ambit.accounts (id, email) values ($1, $2)", [
        accountId,
        `${accountId}@example.com`,
      ]);
      await database.query(
        "insert into ambit.members (organization_id, account_id, role) values ($1, $2, $3)",
        [organizationId, accountId, role],
      );
      return { accountId, organizationId, role };
    },
    async entries(subject) {
      const rows = await database.query<{ entry: string }>(
        "select entry from ambit.ledger_entries where subject = $1 order by seq",
        [subject],
      );
      return rows.map(({ entry }) => JSON.parse(entry));
    },
    async stop() {
      await Promise.all(running.map((each) => each.stop()));
      await mcp.close();
      await Promise.all(opened.map((each) => each.close()));
      await world.stop();
    },
  };
}
