import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createRealtime } from "../../../features/realtime/index.ts";
import type { RealtimeService } from "../../../features/realtime/service.ts";
import { errors } from "../../../kernel/errors.ts";
import { Metrics } from "../../../kernel/metrics.ts";
import type { App } from "../../../kernel/operation.ts";
import { ANONYMOUS, type Principal } from "../../../kernel/principal.ts";
import { type TestPlatform, testPlatform } from "../../../testing/platform.ts";
import { attachUpgrades, createRealtimeLane } from "../index.ts";
import { TestClient } from "./client.ts";

/** A key that is valid on the stage. */
export const SERVICE_KEY = "bb_sk_service";

/** A node: the feature behind a door of its own. */
export interface Node {
  readonly realtime: RealtimeService;
  readonly metrics: Metrics;
  readonly port: number;
  stop(): Promise<void>;
}

/** Real Postgres, the feature, and the door on a real HTTP server; only tokens are made up. */
export class Stage {
  readonly world: TestPlatform;
  readonly keys = new Set([SERVICE_KEY]);
  readonly #revoked = new Set<() => void>();
  readonly #clients = new Set<TestClient>();
  readonly #nodes: Node[] = [];

  constructor(world: TestPlatform) {
    this.world = world;
  }

  static async start(): Promise<Stage> {
    const stage = new Stage(await testPlatform());
    await stage.startNode();
    return stage;
  }

  get node(): Node {
    return this.#nodes[0]!;
  }

  /** An app of its own with these tables, those named being broadcast. */
  async app(tables: readonly string[], ...statements: string[]): Promise<AppStage> {
    const app = new AppStage(this, await this.world.createApp());
    await app.define(...statements);
    if (tables.length > 0) await this.node.realtime.enable(app.id, tables);
    return app;
  }

  async startNode(): Promise<Node> {
    const metrics = new Metrics();
    const platform = { ...this.world.platform, metrics };
    const { feature, service } = createRealtime(platform);
    const server = createServer((_request, response) => response.end());
    const door = createRealtimeLane({
      realtime: service,
      metrics,
      log: platform.log,
      clock: platform.clock,
      baseDomain: "localhost",
      trustedProxies: 0,
      publicUrl: platform.publicUrl,
      findApp: (reference) => this.world.apps.find(reference),
      resolvePrincipal: async (authorization, appId) => this.#resolve(authorization, appId),
      onAppChanged: (listener) => this.world.apps.onChange(listener),
      onKeyRevoked: (listener) => this.#revoked.add(listener),
      onSessionEnded: () => {},
    });
    attachUpgrades(server, { lanes: [door], baseDomain: "localhost", publicUrl: platform.publicUrl });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    await feature.start?.();
    await service.ready();
    const { port } = server.address() as AddressInfo;
    const stop = async () => {
      await door.close();
      await feature.stop?.();
      await new Promise((resolve) => server.close(resolve));
    };
    const node = { realtime: service, metrics, port, stop };
    this.#nodes.push(node);
    return node;
  }

  /** A token of an end user with these claims. */
  userToken(claims: Record<string, unknown>, expiresAtMs = Date.now() + 3_600_000): string {
    const payload = Buffer.from(JSON.stringify({ claims, expiresAtMs })).toString("base64url");
    return `u.${payload}.s`;
  }

  revokeKey(key: string): void {
    this.keys.delete(key);
    for (const listener of this.#revoked) listener();
  }

  open(url: string, options?: ConstructorParameters<typeof TestClient>[1]): TestClient {
    const client = new TestClient(url, options);
    this.#clients.add(client);
    return client;
  }

  async stop(): Promise<void> {
    for (const client of this.#clients) client.ws.terminate();
    for (const node of this.#nodes) await node.stop();
    await this.world.stop();
  }

  #resolve(authorization: string | undefined, appId: string | null): Principal {
    if (authorization === undefined) return ANONYMOUS;
    const token = authorization.replace(/^Bearer /, "");
    if (token.startsWith("bb_sk_")) {
      if (!this.keys.has(token)) throw errors.AUTH_INVALID_API_KEY();
      const { organizationId } = this.world;
      const scopes = ["*"];
      return {
        kind: "key",
        keyId: token,
        keyKind: "agent",
        accountId: "a",
        organizationId,
        role: "owner",
        scopes,
        expiresAtMs: null,
      };
    }
    const payload = /^u\.(.+)\.s$/.exec(token)?.[1];
    if (payload === undefined) throw errors.AUTH_INVALID_TOKEN();
    const { claims, expiresAtMs } = JSON.parse(Buffer.from(payload, "base64url").toString());
    if (expiresAtMs <= Date.now()) throw errors.AUTH_END_USER_JWT_EXPIRED();
    return { kind: "user", appId: appId!, userId: claims.sub, claims, expiresAtMs };
  }
}

/** One app on the stage: its schema, its rows, its clients. */
export class AppStage {
  readonly app: App;
  readonly #stage: Stage;

  constructor(stage: Stage, app: App) {
    this.#stage = stage;
    this.app = app;
  }

  get id(): string {
    return this.app.id;
  }

  url(node: Node = this.#stage.node): string {
    return `ws://127.0.0.1:${node.port}/v1/${this.id}/realtime`;
  }

  /** A connected client; `token` null connects anonymously. */
  async connect(token: string | null, node?: Node): Promise<TestClient> {
    const query = token === null ? "" : `?token=${encodeURIComponent(token)}`;
    const client = this.#stage.open(`${this.url(node)}${query}`);
    await client.ofType("connected");
    return client;
  }

  /** A client of an end user, or of the service, that subscribes to these tables. */
  async subscriber(
    claims: Record<string, unknown> | "anon" | "service",
    ...tables: string[]
  ): Promise<TestClient> {
    const token =
      claims === "anon" ? null : claims === "service" ? SERVICE_KEY : this.#stage.userToken(claims);
    const client = await this.connect(token);
    for (const table of tables) await client.subscribe(table);
    return client;
  }

  /** DDL as the schema and policy features run it. */
  async define(...statements: string[]): Promise<void> {
    await this.write(...statements, "select ambit_helpers.announce_change('test')");
  }

  /** One transaction with these statements, run by the owner: policies don't apply. */
  async write(...statements: string[]): Promise<void> {
    await this.#stage.world.platform.database.ownerTransaction(this.id, async (tx) => {
      for (const statement of statements) await tx.query(statement);
    });
  }

  /** Rows as a caller reads them. */
  async select(
    role: "anon" | "user" | "service",
    claims: Record<string, unknown> | null,
    query: string,
  ): Promise<Record<string, unknown>[]> {
    const { rows } = await this.#stage.world.platform.database.asCaller(
      this.id,
      { role, claims },
      { text: `select coalesce(json_agg(x), '[]')::text from (${query}) x`, values: [] },
    );
    return JSON.parse(rows[0]![0]!);
  }
}
