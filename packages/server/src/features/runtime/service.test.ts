import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Platform } from "../../engines/platform.ts";
import type { EnginePorts, Program, ProgramKey, WorkerdEngine } from "../../engines/workerd/types.ts";
import type { Config } from "../../kernel/config.ts";
import { Metrics } from "../../kernel/metrics.ts";
import type { App, Call } from "../../kernel/operation.ts";
import { createPipeline, type Pipeline } from "../../kernel/pipeline.ts";
import type { KeyPrincipal, Role } from "../../kernel/principal.ts";
import type { TestPlatform } from "../../testing/platform.ts";
import { createRuntime } from "./index.ts";
import { createRuntimeService, type RuntimeService } from "./service.ts";
import { invocation, outcome, runtimeWorld, tailEvent } from "./testing/world.ts";

let world: TestPlatform & { dataDir: string };
let ports: EnginePorts;
let runtime: ReturnType<typeof createRuntime>;
let service: RuntimeService;
let pipeline: Pipeline;
let app: App;
const removed: string[] = [];
const swapped: string[] = [];

/** The engine's ports without its processes: what it would ask and tell. */
const onlyPorts = async (given: EnginePorts) => {
  ports = given;
  return {
    start: async () => {},
    close: async () => {},
    list: () => [],
    swap: async (key: ProgramKey) => void swapped.push(key),
    remove: async (key: ProgramKey) => void removed.push(key),
    sandbox: {
      warnings: [],
      memory: "watchdog",
      unprivileged: true,
      namespaces: true,
      networkOff: true,
      seccomp: false,
      diesWithParent: true,
    },
  } as unknown as WorkerdEngine;
};

beforeAll(async () => {
  world = await runtimeWorld();
  runtime = createRuntime(world.platform, onlyPorts);
  service = runtime.service;
  await runtime.feature.start!();
  pipeline = createPipeline({ findApp: (reference) => world.apps.find(reference), record: async () => {} });
  app = await world.createApp();
});
afterAll(async () => {
  await runtime.feature.stop!();
  await world.stop();
});

async function run(
  name: string,
  input: Record<string, unknown> = {},
  role: Role = "developer",
): Promise<any> {
  const principal: KeyPrincipal = {
    ...{ kind: "key", keyId: "k", keyKind: "agent", accountId: "a", organizationId: world.organizationId },
    ...{ role, scopes: ["*"], expiresAtMs: null },
  };
  const operation = runtime.feature.operations.find((each) => each.name === name)!;
  const call: Call = {
    ...{ principal, door: "http", requestId: "r", ip: "127.0.0.1", userAgent: "t", nowMs: Date.now() },
    signal: new AbortController().signal,
  };
  return pipeline(operation, call, { app_id: app.id, ...input });
}
/** The platform as after a restart, or of another node. */
const anew = (config: Partial<Config> = {}): Platform => ({
  ...world.platform,
  metrics: new Metrics(),
  config: { ...world.platform.config, ...config },
});
const program = (kind: "actors" | "functions"): Program => ({
  ...{
    appId: app.id,
    kind,
    revision: "1",
    actors: [],
    functions: [],
    scheme: "http",
    memoryBytes: 1,
    logs: true,
  },
});

describe("egress", () => {
  it("is set and read by operations, and in force for the engine at once", async () => {
    expect(await run("runtime.get_egress")).toEqual({ allow: null });
    expect(await run("runtime.set_egress", { allow: ["API.example.com", "*.b.example"] })).toEqual({
      allow: ["api.example.com", "*.b.example"],
    });
    expect(ports.egress(`${app.id}/actors`)).toEqual({ allow: ["api.example.com", "*.b.example"] });
    await expect(run("runtime.set_egress", { allow: ["http://a"] })).rejects.toMatchObject({
      code: "VALIDATION_INVALID_HOST",
    });
    await expect(run("runtime.set_egress", { allow: null }, "viewer")).rejects.toMatchObject({ status: 403 });
    expect(await run("runtime.set_egress", { allow: null })).toEqual({ allow: null });
    expect(ports.egress(`${app.id}/actors`)).toEqual({ allow: null });
  });

  it("reaches nothing while the rules are not known, and what they say from the start of a program", async () => {
    const other = await world.createApp();
    expect(ports.egress(`${other.id}/functions`)).toEqual({ allow: [] });
    const another = await world.createApp();
    service.provide("functions", { load: async () => program("functions"), sourceMap: async () => null });
    await ports.load(`${another.id}/functions`);
    expect(ports.egress(`${another.id}/functions`)).toEqual({ allow: null });
  });

  it("is shown with its use by the status", async () => {
    ports.onEgress(`${app.id}/functions`, { requests: 3, refused: 1, bytesIn: 10, bytesOut: 20 });
    expect(await run("runtime.status", {}, "viewer")).toMatchObject({
      programs: [],
      sandbox: { unprivileged: true, seccomp: false, memory: "watchdog" },
      egress: { requests: 3, refused: 1, bytes_in: 10, bytes_out: 20 },
    });
  });
});

describe("logs", () => {
  it("can be switched off, and running programs follow", async () => {
    const { id } = await world.createApp();
    expect(await run("runtime.get_logs_settings", { app_id: id })).toEqual({ enabled: true });
    expect(await run("runtime.set_logs", { app_id: id, enabled: false })).toEqual({ enabled: false });
    expect(await service.logsEnabled(id)).toBe(false);
    expect(await service.getEgress(id)).toEqual({ allow: null });
    expect(swapped).toEqual([`${id}/actors`, `${id}/functions`]);
    await run("runtime.set_logs", { app_id: id, enabled: false });
    expect(swapped).toHaveLength(2);
    const one = invocation({ appId: id });
    service.invocations.begin(one);
    service.invocations.end(one.requestId, outcome());
    const query = {
      appId: id,
      kind: "functions",
      unit: null,
      limit: 9,
      sinceMs: null,
      level: "all",
    } as const;
    expect((await service.logs(query)).entries).toEqual([]);
    expect((await service.usage(id, "functions")).requests).toBe(1);
  });
});

describe("homes", () => {
  it("are kept by the node that came first, whoever asks", async () => {
    const { id } = await world.createApp();
    const other = createRuntimeService(anew({ dataDir: join(world.dataDir, "other") }), onlyPorts);
    await service.claimHome(id);
    await service.claimHome(id);
    const refused = { code: "RUNTIME_ELSEWHERE", status: 503 };
    await expect(other.claimHome(id)).rejects.toMatchObject(refused);
    await expect(other.claimHome(id)).rejects.toMatchObject(refused);
    const node = readFileSync(join(world.dataDir, "workerd", "node-id"), "utf8").trim();
    await expect(other.claimHome(id)).rejects.toThrow(node);
    await expect(service.claimHome("app_none")).rejects.toMatchObject({ code: "RESOURCE_NOT_FOUND" });
    // A restart on the same disk is the same node.
    await createRuntimeService(anew(), onlyPorts).claimHome(id);
  });

  it("are asked for by whatever starts a program, also an alarm", async () => {
    const { id } = await world.createApp();
    await world.platform.database.query(
      "insert into ambit.runtime_homes (app_id, node_id, host) values ($1, 'another', 'there')",
      [id],
    );
    service.provide("actors", { load: async () => program("actors"), sourceMap: async () => null });
    await expect(ports.load(`${id}/actors`)).rejects.toMatchObject({ code: "RUNTIME_ELSEWHERE" });
  });
});

describe("what the engine tells", () => {
  it("of a death is logged, and at the third a unit is not run for a while", async () => {
    const { id } = await world.createApp();
    const died = () =>
      ports.onDeath(`${id}/functions`, "unresponsive", [{ requestId: "r", unit: "loop" }], "last words\n");
    died();
    died();
    expect(service.blamed(id, "functions", "loop")).toBeNull();
    died();
    const blame = service.blamed(id, "functions", "loop");
    expect(blame!.untilMs).toBeGreaterThan(Date.now());
    service.pardon(id, "functions", "loop");
    expect(service.blamed(id, "functions", "loop")).toBeNull();
    const query = {
      appId: id,
      kind: "functions",
      unit: "loop",
      limit: 10,
      sinceMs: null,
      level: "error",
    } as const;
    const { entries } = await service.logs(query);
    expect(entries).toHaveLength(3);
    expect(entries[0]).toMatchObject({ event: "process", outcome: "unresponsive", unit: "" });
    expect(entries[0]!.lines.map(({ message }) => message).join("\n")).toMatch(/in: loop\.\nlast words$/);
  });

  it("of a full heap counts as too much memory", async () => {
    const { id } = await world.createApp();
    for (let i = 0; i < 3; i++) {
      const request = { requestId: `r${i}`, unit: "hog" };
      ports.onDeath(`${id}/actors`, "crashed", [request], "V8 fatal error: JavaScript heap out of memory");
    }
    expect(service.blamed(id, "actors", "hog")!.reason).toContain("too much memory");
    for (let i = 0; i < 3; i++) ports.onDeath(`${id}/actors`, "crashed", [{ requestId: "r", unit: "x" }], "");
    expect(service.blamed(id, "actors", "x")).toBeNull();
  });

  it("of runs and CPU time comes together with what the doors tell", async () => {
    const { id } = await world.createApp();
    const one = invocation({ appId: id });
    service.invocations.begin(one);
    service.invocations.end(one.requestId, outcome());
    const lines = [{ level: "info" as const, message: "hi", atMs: Date.now() }];
    ports.onTail(`${id}/functions`, { events: [tailEvent({ requestId: one.requestId, lines })], runs: [] });
    ports.onCpu(`${id}/functions`, 12);
    expect(await service.usage(id, "functions")).toMatchObject({
      requests: 1,
      cpuMs: 12,
      units: [{ cpuMs: 12 }],
    });
    const query = {
      appId: id,
      kind: "functions",
      unit: null,
      limit: 10,
      sinceMs: null,
      level: "all",
    } as const;
    expect((await service.logs(query)).entries).toMatchObject([{ requestId: one.requestId, lines }]);
  });
});

it("a stop writes what was only in memory", async () => {
  const { id } = await world.createApp();
  const own = createRuntime(anew(), onlyPorts);
  await own.feature.start!();
  const one = invocation({ appId: id });
  own.service.invocations.begin(one);
  own.service.invocations.end(one.requestId, outcome());
  await own.feature.stop!();
  const [{ requests }, { logs }] = (await Promise.all([
    world.platform.database
      .query("select requests::int from ambit.runtime_usage where app_id = $1", [id])
      .then(([row]) => row),
    world.platform.database
      .query("select count(*)::int logs from ambit.runtime_logs where app_id = $1", [id])
      .then(([row]) => row),
  ])) as any;
  expect([requests, logs]).toEqual([1, 1]);
});

it("a deleted app takes its programs, storage and rows with it", async () => {
  const { id } = await world.createApp();
  await service.claimHome(id);
  await service.setEgress(id, { allow: [] });
  ports.onCpu(`${id}/actors`, 5);
  await service.flush();
  await service.forget(id);
  expect(removed).toEqual([`${id}/actors`, `${id}/functions`]);
  await world.apps.delete(id);
  for (const table of ["homes", "settings", "usage", "logs"]) {
    const rows = await world.platform.database.query(
      `select from ambit.runtime_${table} where app_id = '${id}'`,
    );
    expect(rows).toEqual([]);
  }
});

it("a machine that can't run the engine says so, and serves the rest", async () => {
  const own = createRuntime(anew(), async () => Promise.reject(new Error("no binary")));
  await own.feature.start!();
  expect(() => own.service.engine).toThrow(expect.objectContaining({ code: "RUNTIME_UNSUPPORTED" }));
  expect(await own.service.getEgress(app.id)).toEqual({ allow: null });
  await own.feature.stop!();
});
