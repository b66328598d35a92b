import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, expect, it } from "vitest";
import { CONTEXT_HEADER, type FunctionContext } from "../../engines/workerd/headers.ts";
import { closeCompiler, compileFunction } from "../../engines/workerd/source/index.ts";
import type { FunctionUnit, Program, ProgramKey } from "../../engines/workerd/types.ts";
import { newUuid } from "../../kernel/ids.ts";
import type { App } from "../../kernel/operation.ts";
import type { TestPlatform } from "../../testing/platform.ts";
import { createRuntime } from "./index.ts";
import type { LogEntry, RuntimeService } from "./service.ts";
import { invocation, outcome, runtimeWorld } from "./testing/world.ts";

const SOURCES = {
  talk: `export async function handler(request: Request) {
  console.log("talking", { to: "you" });
  return new Response("said");
}`,
  fail: `type Unused = { a: string };

export async function handler(request: Request) {
  const none: { thing?: { name: string } } = {};
  return none.thing!.name;
}`,
  reach: `export async function handler(request: Request) {
  const answer = await fetch(new URL(request.url).searchParams.get("to")!, { method: "POST", body: "out" });
  return Response.json([answer.status, answer.headers.get("x-ambit-egress"), await answer.text()]);
}`,
  loop: `export async function handler(request: Request) {
  for (;;) {}
}`,
};

let world: TestPlatform;
let runtime: ReturnType<typeof createRuntime>;
let service: RuntimeService;
let app: App;
let key: ProgramKey;
let elsewhere: Server;
let port: number;
const maps = new Map<string, string>();

beforeAll(async () => {
  elsewhere = createServer(async (request, response) => response.end(`got ${await text(request)}`));
  await new Promise<void>((done) => elsewhere.listen(0, "127.0.0.1", () => done()));
  port = (elsewhere.address() as AddressInfo).port;
  world = await runtimeWorld();
  const { platform } = world;
  runtime = createRuntime({
    ...platform,
    config: { ...platform.config, allowPrivateFetch: [`127.0.0.1:${port}`] },
  });
  service = runtime.service;
  app = await world.createApp();
  key = `${app.id}/functions`;
  const functions: FunctionUnit[] = [];
  for (const [name, source] of Object.entries(SOURCES)) {
    const { code, entry, sourceMap } = await compileFunction(source, `${name}.ts`);
    maps.set(name, sourceMap);
    functions.push({ name, code, entry, env: {} });
  }
  service.provide("functions", {
    async load(appId): Promise<Program | null> {
      if (appId !== app.id) return null;
      const logs = await service.logsEnabled(appId);
      const about = { scheme: "http", memoryBytes: 512 * 1024 * 1024, logs, revision: `r-${logs}` } as const;
      return { appId, kind: "functions", actors: [], functions, ...about };
    },
    sourceMap: async (_appId, unit) => ({ fileName: `${unit}.ts`, sourceMap: maps.get(unit)! }),
  });
  await runtime.feature.start!();
});
afterAll(async () => {
  await runtime?.feature.stop?.();
  await closeCompiler();
  await world?.stop();
  await new Promise((done) => elsewhere?.close(done));
});

/** Calls a function as a door does. */
async function call(unit: string, query = "") {
  const one = invocation({ appId: app.id, unit, requestId: newUuid(), startedAtMs: Date.now() });
  service.invocations.begin(one);
  const context: FunctionContext = {
    ...{ requestId: one.requestId, functionName: unit, trigger: "http", caller: { type: "anonymous" } },
    ...{ user: null, ip: null, loopDepth: 0, mayUseService: false, verbose: false },
    app: { id: app.id, name: app.name, subdomain: app.subdomain },
  };
  const headers = [
    "host",
    "x.localhost",
    "x-request-id",
    one.requestId,
    CONTEXT_HEADER,
    JSON.stringify(context),
  ];
  const exchange = {
    ...{
      requestId: one.requestId,
      method: "GET",
      path: `/${unit}${query}`,
      headers,
      body: null,
      timeoutMs: 10_000,
    },
  };
  try {
    const answer = await service.engine.request(key, { kind: "function", unit }, exchange);
    const body = await text(answer.body);
    service.invocations.end(one.requestId, outcome({ status: answer.status }));
    return { requestId: one.requestId, status: answer.status, body };
  } catch (error) {
    const { status } = error as { status: number };
    service.invocations.end(one.requestId, outcome({ status, end: "process_lost" }));
    return { requestId: one.requestId, status, body: String(error) };
  }
}
const logsOf = async (unit: string): Promise<LogEntry[]> =>
  (await service.logs({ appId: app.id, kind: "functions", unit, limit: 50, sinceMs: null, level: "all" }))
    .entries;

it("what a function says is with how its call ended", async () => {
  const { requestId, body } = await call("talk");
  expect(body).toBe("said");
  const [entry] = await logsOf("talk");
  expect(entry).toMatchObject({ requestId, unit: "talk", status: 200, outcome: "ok", trigger: "http" });
  expect(entry!.lines.map(({ message }) => message).join()).toContain("talking");
});

it("what it throws has its place in the TypeScript", async () => {
  const { requestId, status } = await call("fail");
  expect(status).toBe(500);
  const [entry] = await logsOf("fail");
  expect(entry).toMatchObject({ requestId, status: 500, outcome: "exception", error: { name: "TypeError" } });
  expect(entry!.error!.stack).toMatch(/fail\.ts:5:\d+/);
});

it("it reaches what it may, nothing else, and that is counted", async () => {
  const there = `?to=${encodeURIComponent(`http://127.0.0.1:${port}/`)}`;
  expect(JSON.parse((await call("reach", there)).body)).toEqual([200, null, "got out"]);
  const metadata = `?to=${encodeURIComponent("http://169.254.169.254/latest/")}`;
  const refused = "169.254.169.254 is not a public address.\n";
  expect(JSON.parse((await call("reach", metadata)).body)).toEqual([403, "refused", refused]);
  await service.setEgress(app.id, { allow: ["api.example.com"] });
  expect(JSON.parse((await call("reach", there)).body)[0]).toBe(403);
  await service.setEgress(app.id, { allow: null });
  let use = await service.egressUse(app.id);
  while (use.requests < 3) {
    await new Promise((done) => setTimeout(done, 100));
    use = await service.egressUse(app.id);
  }
  expect(use).toMatchObject({ requests: 3, refused: 2 });
  expect(use.bytesOut).toBeGreaterThan(0);
});

it("a program without logs says nothing, and goes on being counted", async () => {
  const before = (await service.counters(app.id, "functions")).get("talk")!.requests;
  await service.setLogsEnabled(app.id, false);
  await call("talk");
  await service.setLogsEnabled(app.id, true);
  expect(await logsOf("talk")).toHaveLength(1);
  expect((await service.counters(app.id, "functions")).get("talk")!.requests).toBe(before + 1);
});

it("a process that is lost is told of, with what it was doing, and CPU time comes from it", async () => {
  const { requestId, status } = await call("loop");
  expect(status).toBeGreaterThanOrEqual(500);
  const entries = await logsOf("loop");
  expect(entries.find((entry) => entry.requestId === requestId)).toMatchObject({ outcome: "process_lost" });
  const lost = entries.find(({ event }) => event === "process");
  expect(lost).toMatchObject({ outcome: "unresponsive", unit: "" });
  expect(lost!.lines[0]!.message).toContain("loop");
  expect((await call("talk")).body).toBe("said");
  expect((await service.usage(app.id, "functions")).cpuMs).toBeGreaterThan(100);
});
