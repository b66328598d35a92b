import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createFunctions } from "../../features/functions/index.ts";
import { createRuntime } from "../../features/runtime/index.ts";
import { Metrics } from "../../kernel/metrics.ts";
import type { App, Call } from "../../kernel/operation.ts";
import { createPipeline } from "../../kernel/pipeline.ts";
import type { Principal } from "../../kernel/principal.ts";
import { functionsStage, type Stage } from "./testing/stage.ts";

let stage: Stage;
let app: App;
beforeAll(async () => {
  stage = await functionsStage();
  app = await stage.createApp();
});
afterAll(() => stage.stop());

const http = [{ type: "http" as const, config: { auth: "none" } }];
const says = (text: string) => `export const handler = (req: Request, ctx: any) => (${text});`;
const answer = async (name: string, of = app) => {
  const response = await stage.call(`/v1/${of.id}/fn/${name}`);
  return response.status === 200 ? response.json() : response.status;
};
/** Asks for an operation as the doors do. */
async function ask(operation: string, input: Record<string, unknown>, principal?: Principal): Promise<any> {
  const pipeline = createPipeline({ findApp: stage.apps.find, record: async () => {} });
  const found = stage.feature.operations.find(({ name }) => name === operation)!;
  const call: Call = {
    principal: principal ?? stage.key().principal,
    door: "mcp",
    requestId: "r",
    ip: "127.0.0.1",
    userAgent: "",
    nowMs: Date.now(),
    signal: new AbortController().signal,
  };
  const output = await pipeline(found, call, { app_id: app.id, ...input });
  found.output.parse(output);
  return output;
}
const failure = async (work: Promise<unknown>) => {
  const error = await work.then(
    () => null,
    (thrown) => thrown,
  );
  return error === null
    ? null
    : { code: error.code, status: error.status, details: error.details, message: error.message };
};

describe("deploying", () => {
  it("is live at once, and the next version too, with no request failing in between", async () => {
    const deployed = await ask("functions.deploy", { name: "live", code: says("1"), trigger: http[0] });
    expect(deployed).toMatchObject({
      name: "live",
      url: `http://localhost:4000/v1/${app.id}/fn/live`,
      triggers: [{ type: "http", enabled: true }],
      version: 1,
      cacheInvalidation: { success: true },
    });
    expect(await answer("live")).toBe(1);
    let going = true;
    const seen = new Set<unknown>();
    const callers = Array.from({ length: 4 }, async () => {
      while (going) seen.add(await answer("live"));
    });
    for (const n of [2, 3]) await stage.deploy(app, "live", says(String(n)));
    expect(await answer("live")).toBe(3);
    going = false;
    await Promise.all(callers);
    expect([...seen].sort()).toEqual([1, 2, 3]);
  });

  it("refuses what can't be deployed, says why and where, and goes on serving what was there", async () => {
    await stage.deploy(app, "kept", says("'old'"), { triggers: http });
    const refused = (code: string) => failure(ask("functions.deploy", { name: "kept", code }));
    expect(await refused("export const handler = () => {\n  const x: = 1;\n};")).toMatchObject({
      ...{ code: "VALIDATION_ERROR", status: 400 },
      details: { reason: "SYNTAX_ERROR", line: 2 },
    });
    for (const from of ["npm:lodash", "jsr:@std/x", "https://esm.sh/x", "lodash", "./other.ts", "node:fs"])
      expect(await refused(`import x from "${from}";\n${says("x")}`), from).toMatchObject({
        details: { reason: "DISALLOWED_IMPORT", line: 1 },
      });
    expect(await refused("export const other = 1;")).toMatchObject({ details: { reason: "NO_HANDLER" } });
    expect(await refused(`interface A {}\nthrow new Error("at the top");\n${says("1")}`)).toMatchObject({
      code: "VALIDATION_ERROR",
      details: { reason: "START_FAILED", line: 2 },
      message: expect.stringContaining("at the top"),
    });
    expect(await failure(ask("functions.deploy", { name: "a b", code: says("1") }))).toMatchObject({
      status: 400,
    });
    const s3 = { name: "kept", code: says("1"), trigger: { type: "s3_upload" } };
    expect(await failure(ask("functions.deploy", s3))).toMatchObject({
      details: { reason: "TRIGGER_NOT_AVAILABLE" },
    });
    expect(await answer("kept")).toBe("old");
    expect((await stage.functions.versions(app.id, "kept")).versions).toHaveLength(1);
  });

  it("lets two deploys at once both be", async () => {
    const names = ["p1", "p2", "p3"];
    await Promise.all(names.map((name) => stage.deploy(app, name, says(`"${name}"`), { triggers: http })));
    for (const name of names) expect(await answer(name)).toBe(name);
  });
});

describe("another node", () => {
  it("serves what was deployed here within a second", async () => {
    const dataDir = mkdtempSync(join(tmpdir(), "ambit-node-"));
    const config = { ...stage.platform.config, dataDir };
    const platform = { ...stage.platform, config, metrics: new Metrics() };
    const runtime = createRuntime(platform);
    await runtime.feature.start?.();
    const { service } = createFunctions(platform, { apps: stage.apps, runtime: runtime.service });
    const there = async (name: string) => {
      const route = (await service.find(app.id))?.byName.get(name);
      return route === undefined ? null : (await service.send(route, "invoke", null)).body.toString();
    };
    try {
      await stage.deploy(app, "spread", says("1"));
      await expect.poll(() => there("spread"), { timeout: 5_000 }).toBe("1");
      await stage.deploy(app, "spread", says("2"));
      await stage.deploy(app, "beside", says("3"));
      await expect.poll(() => there("spread"), { timeout: 5_000 }).toBe("2");
      expect(await there("beside")).toBe("3");
    } finally {
      await runtime.feature.stop?.();
      rmSync(dataDir, { recursive: true, force: true });
    }
  });
});

describe("versions", () => {
  it("are kept and can be brought back, the rest stays", async () => {
    for (const n of [1, 2])
      await stage.deploy(app, "v", says(`[${n}, ctx.env.A]`), { triggers: http, env: { A: "a" } });
    const listed = await ask("functions.list_versions", { name: "v" });
    expect(listed).toMatchObject({ version: 2, versions: [{ version: 2 }, { version: 1 }] });
    await ask("functions.rollback", { name: "v", version: 1 });
    expect(await answer("v")).toEqual([1, "a"]);
    expect(await ask("functions.get", { name: "v" })).toMatchObject({
      version: 1,
      code: says("[1, ctx.env.A]"),
    });
    expect(await failure(ask("functions.rollback", { name: "v", version: 9 }))).toMatchObject({
      status: 404,
    });
    await stage.deploy(app, "v", says("3"));
    expect((await stage.functions.versions(app.id, "v")).served).toBe(3);
  });
});

describe("variables", () => {
  it("are merged, sealed, and in force at once; the app's own too", async () => {
    await stage.deploy(app, "env", says("[ctx.env.A, ctx.env.B, ctx.env.C]"), {
      triggers: http,
      env: { A: "1", B: "2" },
    });
    expect(await answer("env")).toEqual(["1", "2", null]);
    await ask("functions.update_env", { name: "env", env: { B: null, C: "3" } });
    expect(await answer("env")).toEqual(["1", null, "3"]);
    const shown = await ask("functions.get", { name: "env" });
    expect(shown.envKeys).toEqual(["A", "C"]);
    const [row] = await stage.platform.database.query<{ env: object }>(
      "select env from ambit.functions where app_id = $1 and name = 'env'",
      [app.id],
    );
    expect(JSON.stringify(row!.env)).not.toMatch(/"[13]"/);
    const { secrets } = stage.platform;
    await stage.apps.change(app.id, () => ({
      env: {
        B: secrets.seal("app-env", "of the app", `${app.id}/B`),
        C: secrets.seal("app-env", "hidden", `${app.id}/C`),
      },
      env_updated_at: new Date(),
    }));
    await expect.poll(() => answer("env"), { timeout: 3_000 }).toEqual(["1", "of the app", "3"]);
    expect(
      await failure(ask("functions.update_env", { name: "env", env: { BUTTERBASE_APP_ID: "x" } })),
    ).toMatchObject({
      details: { reason: "RESERVED_ENV_KEY" },
    });
  });
});

describe("looking after functions", () => {
  it("lists them with what became of their calls, and forgets them when told", async () => {
    const other = await stage.createApp();
    await stage.deploy(other, "one", says("1"), { triggers: http, description: "One", agentTool: true });
    for (let i = 0; i < 3; i++) expect(await answer("one", other)).toBe(1);
    const { functions } = await ask("functions.list", { app_id: other.id });
    expect(functions).toMatchObject([
      {
        name: "one",
        description: "One",
        status: "active",
        invocationCount: 3,
        errorRate: 0,
        agent_tool: true,
        lastStatus: 200,
      },
    ]);
    expect(await ask("functions.delete", { app_id: other.id, name: "one" })).toEqual({ success: true });
    expect(await answer("one", other)).toBe(404);
    expect((await ask("functions.list", { app_id: other.id })).functions).toEqual([]);
    expect(await failure(ask("functions.get", { app_id: other.id, name: "one" }))).toMatchObject({
      status: 404,
    });
    expect(await failure(ask("functions.logs", { app_id: other.id, name: "one" }))).toMatchObject({
      status: 404,
    });
    expect(
      await ask("functions.logs", { app_id: other.id, name: "one", include_deleted: true }),
    ).toMatchObject({
      hasMore: false,
    });
    await stage.deploy(other, "one", says("2"), { triggers: http });
    expect(await answer("one", other)).toBe(2);
  });

  it("invokes them as the calling key, whatever their triggers", async () => {
    const code = `export async function handler(req: Request, ctx: any) {
      return Response.json({ method: req.method, body: req.method === "GET" ? null : await req.json(), mine: req.headers.get("x-mine"), user: ctx.user, caller: ctx.caller.type, trigger: ctx.trigger },
        { status: 201, headers: { "x-made": "1" } });
    }`;
    await ask("functions.deploy", { name: "tool", code });
    const called = await ask("functions.invoke", {
      name: "tool",
      body: { a: 1 },
      headers: { "X-Mine": "m", "x-butterbase-caller-user": "forged" },
    });
    expect(called).toMatchObject({
      status: 201,
      headers: { "x-made": "1" },
      body: {
        method: "POST",
        body: { a: 1 },
        mine: "m",
        user: null,
        caller: "service_key",
        trigger: "invoke",
      },
    });
    const as = await ask("functions.invoke", {
      name: "tool",
      method: "GET",
      headers: { "X-Butterbase-As-User": "u1" },
    });
    expect(as.body).toMatchObject({ user: { id: "u1" }, method: "GET" });
    const reader = stage.key({ scopes: ["*", "read"] }).principal;
    expect(await failure(ask("functions.invoke", { name: "tool" }, reader))).toMatchObject({ status: 403 });
    expect(await failure(ask("functions.invoke", { name: "gone" }))).toMatchObject({ status: 404 });
  });

  it("lets in so many calls of one function at a time", async () => {
    const code = "export const handler = () => new Promise((done) => setTimeout(() => done(1), 600));";
    await stage.deploy(app, "busy", code, { triggers: http });
    const statuses = await Promise.all(Array.from({ length: 130 }, () => answer("busy")));
    expect(statuses.filter((status) => status === 1)).toHaveLength(100);
    expect(statuses.filter((status) => status === 429)).toHaveLength(30);
  });
});
