import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Platform } from "../../../engines/platform.ts";
import { migrate } from "../../../engines/postgres/migrate.ts";
import { Metrics } from "../../../kernel/metrics.ts";
import type { AnyOperation, App, Call } from "../../../kernel/operation.ts";
import { createPipeline } from "../../../kernel/pipeline.ts";
import type { KeyPrincipal, Principal } from "../../../kernel/principal.ts";
import { type TestPlatform, testPlatform } from "../../../testing/platform.ts";
import { createRuntime } from "../../runtime/index.ts";
import type { RuntimeService } from "../../runtime/service.ts";
import { createDurableObjects } from "../index.ts";
import type { DurableObjectsService } from "../service.ts";

/** The feature on a real engine and a real database, called through the pipeline. */
export interface Stage extends TestPlatform {
  readonly runtime: RuntimeService;
  readonly actors: DurableObjectsService;
  readonly owner: KeyPrincipal;
  readonly dataDir: string;
  /** Runs `durable_objects.<action>` as the owner, or as somebody else. */
  run<T = Record<string, unknown>>(
    action: string,
    input: Record<string, unknown>,
    as?: Partial<Call>,
  ): Promise<T>;
  /** Asks an instance over the engine, without any door. */
  ask(app: App, name: string, instance: string, path?: string): Promise<{ status: number; text: string }>;
  /** A second set of services on the same data, as after a restart. */
  restart(): Promise<void>;
}

const FEATURES = ["runtime", "durable-objects"];

export async function stage(): Promise<Stage> {
  const world = await testPlatform();
  await migrate(
    world.platform.database,
    FEATURES.map((feature) => ({
      feature,
      directory: new URL(`../../${feature}/migrations/`, import.meta.url),
    })),
  );
  const dataDir = mkdtempSync(join(tmpdir(), "ambit-do-"));
  const base: Platform = { ...world.platform, config: { ...world.platform.config, dataDir } };
  const open = async () => {
    const platform: Platform = { ...base, metrics: new Metrics() };
    const runtime = createRuntime(platform);
    const made = createDurableObjects(platform, { apps: world.apps, runtime: runtime.service });
    await runtime.feature.start?.();
    await made.feature.start?.();
    return { runtime, made };
  };
  let current = await open();
  const shut = async () => {
    await current.made.feature.stop?.();
    await current.runtime.feature.stop?.();
  };
  const owner: KeyPrincipal = {
    kind: "key",
    keyId: "00000000-0000-4000-8000-000000000001",
    keyKind: "person",
    accountId: "00000000-0000-4000-8000-000000000002",
    organizationId: world.organizationId,
    role: "owner",
    scopes: ["*"],
    expiresAtMs: null,
  };
  const pipeline = createPipeline({ findApp: (id) => world.apps.find(id), record: async () => {} });
  return {
    ...world,
    platform: base,
    dataDir,
    owner,
    get runtime() {
      return current.runtime.service;
    },
    get actors() {
      return current.made.service;
    },
    async run<T>(action: string, input: Record<string, unknown>, as: Partial<Call> = {}) {
      const name = `durable_objects.${action}`;
      const operation = current.made.feature.operations.find((each: AnyOperation) => each.name === name)!;
      return (await pipeline(operation, callOf(owner, as), input)) as T;
    },
    async ask(app, name, instance, path = "") {
      const answer = await current.runtime.service.engine.request(
        `${app.id}/actors`,
        { kind: "actor", unit: name },
        {
          requestId: crypto.randomUUID(),
          method: "GET",
          path: `/_do/${name}/${encodeURIComponent(instance)}${path}`,
          headers: ["host", `${app.subdomain}.localhost`],
          body: null,
          timeoutMs: 10_000,
        },
      );
      const chunks: Buffer[] = [];
      for await (const chunk of answer.body) chunks.push(chunk as Buffer);
      return { status: answer.status, text: Buffer.concat(chunks).toString() };
    },
    async restart() {
      await shut();
      current = await open();
    },
    async stop() {
      await shut();
      await world.stop();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

const callOf = (principal: Principal, as: Partial<Call>): Call => ({
  principal,
  door: "internal",
  requestId: "test",
  ip: "127.0.0.1",
  userAgent: "",
  nowMs: Date.now(),
  signal: new AbortController().signal,
  ...as,
});

/** Counts in storage; `/env/NAME` tells a variable, `/v` its version. */
export const counter = (version = 1): string => `
import { DurableObject } from "cloudflare:workers";
interface Env { [name: string]: string }
export class Counter extends DurableObject<Env> {
  async fetch(request: Request): Promise<Response> {
    const path = new URL(request.url).pathname.split("/").slice(4);
    if (path[0] === "env") return new Response(String(this.env[path[1] ?? ""]));
    if (path[0] === "v") return new Response("${version}");
    if (path[0] === "alarm") { await this.ctx.storage.setAlarm(Date.now() + 3_600_000); return new Response("set"); }
    const n: number = ((await this.ctx.storage.get<number>("n")) ?? 0) + 1;
    await this.ctx.storage.put("n", n);
    return new Response(String(n));
  }
  async alarm() {}
}
`;
