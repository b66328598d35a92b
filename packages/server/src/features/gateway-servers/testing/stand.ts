import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ToolDefinition } from "@ambit/policy";
import { migrate } from "../../../engines/postgres/migrate.ts";
import type { Config } from "../../../kernel/config.ts";
import { newUuid } from "../../../kernel/ids.ts";
import { Metrics } from "../../../kernel/metrics.ts";
import { type Caller, callerOf } from "../../../testing/caller.ts";
import { type TestPlatform, testPlatform } from "../../../testing/platform.ts";
import { createLedger } from "../../ledger/index.ts";
import { serverOperations } from "../operations.ts";
import { createGatewayServersService, type GatewayServers, type GatewayServersDeps } from "../service.ts";
import { toolOperations } from "../tool-operations.ts";

export interface LedgerLine {
  readonly kind: string;
  readonly subject: string;
  readonly actor: { readonly type: string; readonly account?: string };
  readonly data: {
    readonly count: number;
    readonly tools: readonly { tool: string; hash: string; approved_hash: string | null }[];
  };
}

/** One node of Ambit with the registry on it. */
export interface Node {
  readonly service: GatewayServers;
  readonly metrics: Metrics;
  /** Calls the operations as a key of this organisation; a person's and owner's unless said otherwise. */
  caller(organizationId: string): Caller;
}

export interface Stand {
  readonly test: TestPlatform;
  readonly dataDir: string;
  organization(): Promise<string>;
  /** Kinds and data of an organisation's ledger entries of the gateway, in order. */
  entries(organizationId: string): Promise<LedgerLine[]>;
  node(config: Partial<Config>, deps?: Partial<GatewayServersDeps> & { clock?: () => number }): Node;
  stop(): Promise<void>;
}

/** A database and as many nodes on it as a test wants; all stop with it. */
export async function openStand(): Promise<Stand> {
  const test = await testPlatform();
  const directory = new URL("../migrations/", import.meta.url);
  await migrate(test.platform.database, [{ feature: "gateway-servers", directory }]);
  const dataDir = mkdtempSync(join(tmpdir(), "ambit-servers-"));
  const nodes: GatewayServers[] = [];
  return {
    ...{ test, dataDir },
    async organization() {
      const id = newUuid();
      await test.platform.database.query("insert into ambit.organizations (id, name) values ($1, 'O')", [id]);
      return id;
    },
    entries: (organizationId) =>
      test.platform.database.query(
        `select kind, subject, entry::json->'actor' as actor, entry::json->'data' as data from ambit.ledger_entries
         where organization_id = $1 and kind like 'gateway.%' order by seq`,
        [organizationId],
      ),
    node(config, { clock, ...deps } = {}) {
      const metrics = new Metrics();
      const platform = {
        ...{ ...test.platform, metrics, clock: clock ?? test.platform.clock },
        config: { ...test.platform.config, dataDir, ...config },
      };
      const ledger = createLedger({ ...platform, metrics: new Metrics() }).service;
      const service = createGatewayServersService(platform, {
        ledger,
        builtinTools: (face) => (face === "merged" ? BUILTIN : []),
        ...deps,
      });
      nodes.push(service);
      const operations = [...serverOperations(platform, service), ...toolOperations(service)];
      return { service, metrics, caller: (organizationId) => callerOf(operations, { organizationId }) };
    },
    async stop() {
      for (const node of nodes) await node.stop();
      await test.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

const BUILTIN: readonly ToolDefinition[] = [
  { name: "select_rows", description: "Reads rows", inputSchema: { type: "object", properties: {} } },
];
