import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Queryable } from "../../../engines/postgres/database.ts";
import { createKeysService, type KeysService } from "../../../features/keys/service.ts";
import { createRealtime } from "../../../features/realtime/index.ts";
import type { RealtimeService } from "../../../features/realtime/service.ts";
import { createSubstrateLinks } from "../../../features/substrate-links/index.ts";
import type { StoredScope, SubstrateLinksService } from "../../../features/substrate-links/service.ts";
import { createSubstrateStream } from "../../../features/substrate-stream/index.ts";
import type { SubstrateStreamService } from "../../../features/substrate-stream/service.ts";
import { newSortableId, newUuid } from "../../../kernel/ids.ts";
import { Metrics } from "../../../kernel/metrics.ts";
import type { Role } from "../../../kernel/principal.ts";
import { createRateLimit } from "../../../kernel/rate-limit.ts";
import { type TestPlatform, testPlatform } from "../../../testing/platform.ts";
import { createPrincipalResolver } from "../../principal.ts";
import { attachUpgrades, createSubstrateLane } from "../index.ts";
import { type ReceivedFrame, TestClient } from "./client.ts";

/** A node: the stream behind a door of its own, with the change stream it reads. */
export interface StreamNode {
  readonly stream: SubstrateStreamService;
  readonly realtime: RealtimeService;
  readonly keys: KeysService;
  readonly links: SubstrateLinksService;
  readonly metrics: Metrics;
  readonly port: number;
  stop(): Promise<void>;
}

/** Real Postgres, keys, links and sockets; what changes is written by hand. */
export class SubstrateStage {
  readonly world: TestPlatform;
  readonly #nodes: StreamNode[] = [];
  readonly #clients = new Set<TestClient>();

  constructor(world: TestPlatform) {
    this.world = world;
  }

  static async start(): Promise<SubstrateStage> {
    const stage = new SubstrateStage(await testPlatform());
    await stage.startNode();
    return stage;
  }

  get node(): StreamNode {
    return this.#nodes[0]!;
  }

  async startNode(): Promise<StreamNode> {
    const metrics = new Metrics();
    const platform = { ...this.world.platform, metrics };
    const keys = createKeysService(platform);
    const realtime = createRealtime(platform);
    const links = createSubstrateLinks(platform).service;
    const { feature, service: stream } = createSubstrateStream(platform, {
      ...{ realtime: realtime.service, keys, links },
    });
    const server = createServer((_request, response) => response.end());
    const lane = createSubstrateLane({
      ...{ stream, metrics, clock: platform.clock, log: platform.log, trustedProxies: 0 },
      resolvePrincipal: createPrincipalResolver({
        resolveKey: (token) => keys.resolve(token),
        verifyAccessToken: async () => Promise.reject(new Error("nobody signs in here")),
        badKeys: createRateLimit({ name: "bad_keys", points: 1_000, windowS: 60 }, metrics),
      }),
      onKeyRevoked: (listener) => keys.onRevoked(listener),
    });
    attachUpgrades(server, { lanes: [lane], baseDomain: "localhost", publicUrl: platform.publicUrl });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    await realtime.feature.start?.();
    await feature.start?.();
    await realtime.service.ready();
    const { port } = server.address() as AddressInfo;
    const stop = async () => {
      await lane.close();
      await feature.stop?.();
      await realtime.feature.stop?.();
      await new Promise((resolve) => server.close(resolve));
    };
    const node = { stream, realtime: realtime.service, keys, links, metrics, port, stop };
    this.#nodes.push(node);
    return node;
  }

  /** A key of a member made for it. */
  async key(
    more: {
      scopes?: string[];
      scope?: "app" | "substrate" | "both";
      role?: Role;
      organizationId?: string;
    } = {},
  ): Promise<{ key: string; id: string; accountId: string }> {
    const { database } = this.world.platform;
    const organizationId = more.organizationId ?? this.world.organizationId;
    const accountId = newUuid();
    await database.query("insert into ambit.accounts (id, email) values ($1, $2)", [
      accountId,
      `${accountId}@example.com`,
    ]);
    await database.query(
      "insert into ambit.members (organization_id, account_id, role) values ($1, $2, $3)",
      [organizationId, accountId, more.role ?? "viewer"],
    );
    const { key, id } = await this.node.keys.mint(database, {
      ...{ organizationId, accountId, kind: "agent", name: "test", expiresAtMs: null },
      scope: more.scope ?? "both",
      scopes: more.scopes ?? ["*"],
    });
    return { key, id, accountId };
  }

  /** Links an app, or changes what it may read. */
  async link(appId: string, scope: StoredScope): Promise<void> {
    await this.node.links.link(appId, this.world.organizationId, scope);
  }

  async organization(): Promise<string> {
    const id = newUuid();
    await this.world.platform.database.query(
      "insert into ambit.organizations (id, name) values ($1, 'Other')",
      [id],
    );
    return id;
  }

  /** An open stream; `query` is what stands after the question mark. */
  open(query: string, node = this.node, headers: Record<string, string> = {}): TestClient {
    const client = new TestClient(`ws://127.0.0.1:${node.port}/v1/me/substrate/stream?${query}`, { headers });
    this.#clients.add(client);
    return client;
  }

  /** The same once it has been greeted. */
  async listen(query: string, node = this.node): Promise<TestClient> {
    const client = this.open(query, node);
    await client.ofType("hello");
    return client;
  }

  /** Writes a record of the memory as the memory's own feature would; its id. */
  async record(
    more: {
      kind?: string;
      subtype?: string;
      app?: string | null;
      organizationId?: string;
      data?: object;
    } = {},
  ): Promise<string> {
    const { kind = "entity", subtype = "person", app = null, data = {} } = more;
    const id = newSortableId(PREFIXES[kind]!, Date.now());
    await this.world.platform.database.query(
      `insert into ambit.memory_records (organization_id, id, kind, subtype, title, data, source_app_id, action_id,
         created_by_action, created_at, updated_at)
       values ($1, $2, $3, $4, 'x', $6, $5, 'act_1', 'act_1', now(), now())`,
      [more.organizationId ?? this.world.organizationId, id, kind, subtype, app, JSON.stringify(data)],
    );
    return id;
  }

  /** Writes proposed actions `act_1` to `act_<count>` into the ledger's table, in `db`. */
  async actions(count: number, db: Queryable = this.world.platform.database): Promise<void> {
    await db.query(
      `insert into ambit.substrate_actions (organization_id, id, capability, payload, status, verdict, proposer_kind,
         proposer_id, proposer_label, payload_hash, ledger_entry_id, proposed_at)
       select $1, 'act_' || n, 'x', '{}', 'proposed', '{}', 'agent', 'k', 'k', 'h', 'l', now()
       from generate_series(1, $2::int) n`,
      [this.world.organizationId, count],
    );
  }

  async stop(): Promise<void> {
    for (const client of this.#clients) client.ws.terminate();
    for (const node of this.#nodes) await node.stop();
    await this.world.stop();
  }
}

const PREFIXES: Record<string, string> = {
  ...{
    entity: "ent",
    decision: "dec",
    commitment: "com",
    learning: "lrn",
    source_artifact: "art",
    link: "lnk",
  },
};

/** The changes a client was sent. */
export const changesOf = (client: TestClient): ReceivedFrame[] =>
  client.frames.filter((frame) => "tbl" in frame);

/** Waits until a client was sent `count` changes. */
export async function changesOnceThere(client: TestClient, count: number): Promise<ReceivedFrame[]> {
  await client
    .frame(() => changesOf(client).length >= count, `${count} changes`)
    .catch((error) => {
      if (changesOf(client).length < count) throw error;
    });
  return changesOf(client);
}
