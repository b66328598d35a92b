import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { deployActor, eventually } from "../support/actors.ts";
import { type Api, apiAs, type Person, signUp } from "../support/api.ts";
import { applySchema, must, newApp } from "../support/app.ts";
import { deployFunction, http, type Nodes, refusal, startNodes } from "../support/functions.ts";
import { callTool } from "../support/mcp.ts";

let nodes: Nodes;
let appId: string;
let ada: Person;
let nobody: Api;

beforeAll(async () => {
  nodes = await startNodes(inject("postgres"));
  appId = await newApp(nodes.owner);
  await applySchema(nodes.owner, appId, {
    marks: { columns: { id: { type: "serial", primaryKey: true }, text: { type: "text" } } },
  });
  ada = await signUp(nodes.server.apiUrl, appId, "ada");
  nobody = apiAs(nodes.server.apiUrl, null);
});
afterAll(() => nodes?.close());

const deploy = (name: string, code: string, more: object = {}) =>
  deployFunction(nodes.agent, appId, name, code, { ...http("optional"), ...more });
const call = (name: string, body: unknown = {}, who: Api = nobody) =>
  who("POST", `/v1/${appId}/fn/${name}`, body);
const WHO =
  "export const handler = async (req: Request, { user, caller, trigger, request }: any) => ({ user, caller, trigger, depth: request.loopDepth, method: req.method, url: req.url, body: await req.text(), forged: req.headers.get('x-butterbase-caller-user') });";
const ROOM = `import { DurableObject } from "cloudflare:workers";
export class Room extends DurableObject {
  async fetch(req: Request) {
    const url = new URL(req.url);
    if (url.pathname.endsWith("/back")) return (globalThis as any).butterbase.ctx(req, this.env, this.ctx).invoke("who", { from: "room" });
    const count = ((await this.ctx.storage.get<number>("count")) ?? 0) + 1;
    await this.ctx.storage.put("count", count);
    return Response.json({ count, path: url.pathname, method: req.method, body: await req.text(),
      user: req.headers.get("x-butterbase-caller-user"), type: req.headers.get("x-butterbase-caller-type"), inside: req.headers.get("x-butterbase-internal-caller") });
  }
}`;

describe("ctx.invoke", () => {
  it("calls another function as the same caller, past its http trigger", async () => {
    await deploy("who", WHO, { triggers: [{ type: "http", config: { auth: "required" } }] });
    await deploy(
      "front",
      "export const handler = async (req: Request, { invoke }: any) => invoke('who', await req.json(), { headers: { 'x-butterbase-caller-user': 'forged', 'x-ambit-context': '{}' }, path: '/deep?a=1' });",
    );
    const asNobody = await call("front", { hello: 1 });
    expect(asNobody.body).toMatchObject({
      user: null,
      trigger: "internal",
      depth: 1,
      method: "POST",
      body: '{"hello":1}',
      forged: null,
    });
    expect(asNobody.body.caller).toEqual({ type: "anonymous", internalCaller: "front" });
    expect(new URL(asNobody.body.url).pathname).toBe("/fn/who/deep");
    expect((await call("front", {}, ada.api)).body).toMatchObject({
      user: { id: ada.id },
      caller: { type: "end_user_jwt", userId: ada.id, internalCaller: "front" },
    });
    expect((await call("front", {}, nodes.owner)).body.caller).toMatchObject({ type: "service_key" });
    expect((await call("who")).status).toBe(401);
  });

  it("does not lend run_as service to the one it calls", async () => {
    const asks =
      "export const handler = (req: Request, { db }: any) => db.asService().query('select 1 as one').then((a: any) => a.rows, (e: any) => e.code);";
    await deploy("asks", asks);
    await deploy("lends", "export const handler = (req: Request, { invoke }: any) => invoke('asks', {});", {
      run_as: "service",
    });
    expect((await call("lends", {}, ada.api)).body).toBe("AUTH_INSUFFICIENT_PERMISSIONS");
  });

  it("answers what was answered, also 404 and other apps' names", async () => {
    const other = await newApp(nodes.owner);
    await deployFunction(nodes.agent, other, "theirs", WHO, http("none"));
    await deploy(
      "tries",
      "export const handler = async (req: Request, { invoke }: any) => { const { name } = await req.json(); try { const r = await invoke(name, {}); return { status: r.status, text: await r.text() }; } catch (e: any) { return { code: e.code }; } };",
    );
    for (const name of ["missing", "theirs", `../${other}/fn/theirs`, `~${other}`])
      expect((await call("tries", { name })).body).toMatchObject({ status: 404 });
    for (const name of ["..", ".", ""])
      expect((await call("tries", { name })).body).toEqual({ code: "INVALID_TARGET" });
  });

  it("ends a circle at the depth of four", async () => {
    await deploy(
      "circle",
      "export const handler = async (req: Request, { invoke, request }: any) => { try { const r = await invoke('circle', {}); return [request.loopDepth, ...(await r.json())]; } catch (e: any) { return [request.loopDepth, e.code]; } };",
    );
    expect((await call("circle")).body).toEqual([0, 1, 2, 3, 4, "LOOP_DEPTH_EXCEEDED"]);
  });
});

describe("ctx.invokeDO", () => {
  it("reaches an instance, as the caller, and the instance calls back", async () => {
    await deployActor(nodes.owner, appId, "room", ROOM, "service_key");
    await deploy("who", WHO);
    await deploy(
      "visit",
      "export const handler = async (req: Request, { invokeDO }: any) => { const { key, path, method } = await req.json(); return invokeDO('room', key, method === 'GET' ? null : { hi: 1 }, { path, method }); };",
    );
    const first = await call("visit", { key: "lobby", path: "/x" }, ada.api);
    expect(first.body).toEqual({
      count: 1,
      path: "/_do/room/lobby/x",
      method: "POST",
      body: '{"hi":1}',
      user: ada.id,
      type: "function",
      inside: "visit",
    });
    expect((await call("visit", { key: "lobby", method: "GET" })).body).toMatchObject({
      count: 2,
      user: null,
      method: "GET",
      body: "",
    });
    expect((await call("visit", { key: "another" })).body.count).toBe(1);
    const back = await call("visit", { key: "lobby", path: "/back" }, ada.api);
    expect(back.body).toMatchObject({
      user: { id: ada.id },
      depth: 2,
      caller: { internalCaller: "room" },
      body: '{"from":"room"}',
    });
    expect((await call("visit", { key: ".." })).status).toBe(500);
  });
});

describe("ctx.waitUntil", () => {
  it("runs after the answer, with ctx still good", async () => {
    await deploy(
      "later",
      `export function handler(req: Request, { waitUntil, db, log }: any) {
        waitUntil((async () => {
          await new Promise((done) => setTimeout(done, 800));
          await db.query("insert into marks (text) values ('later')");
        })());
        return "answered";
      }`,
    );
    const marks = async () => must(await nodes.owner("GET", `/v1/${appId}/marks?text=eq.later`)).length;
    expect((await call("later", {}, nodes.owner)).body).toBe("answered");
    expect(await marks()).toBe(0);
    await eventually(async () => (await marks()) === 1, "what waitUntil does");
  });

  it("lets nobody see that it waits, and what fails in it is logged", async () => {
    await deploy(
      "fails-later",
      "export function handler(_: Request, { waitUntil }: any) {\n  waitUntil((async () => {\n    await new Promise((done) => setTimeout(done, 50));\n    throw new RangeError('too late');\n  })());\n  return 1;\n}",
    );
    const answer = await call("fails-later");
    expect([
      answer.status,
      [...answer.headers.keys()].filter((name) => /ambit|butterbase/.test(name)),
    ]).toEqual([200, []]);
    const entry = await eventually(async () => {
      const { logs } = must(await nodes.owner("GET", `/v1/${appId}/functions/fails-later/logs`));
      return logs.find(({ error }: any) => error !== null);
    }, "the log entry");
    expect([entry.error, entry.stack]).toEqual([
      "RangeError: too late",
      expect.stringContaining("fails-later.ts:4:"),
    ]);
  });
});

describe("ctx.idempotency", () => {
  it("claims a key once over all calls, per scope and app, until its time is over", async () => {
    const code =
      "export const handler = async (req: Request, { idempotency }: any) => { const { key, ...options } = await req.json(); return idempotency.claim(key, options); };";
    await deploy("claims", code);
    await deploy("claims-too", code);
    const claim = async (name: string, body: object) => (await call(name, body)).body;
    expect(await claim("claims", { key: "order-1" })).toBe(true);
    expect(await claim("claims", { key: "order-1" })).toBe(false);
    expect(await claim("claims", { key: "order-2" })).toBe(true);
    expect(await claim("claims-too", { key: "order-1" })).toBe(true);
    expect(await claim("claims", { key: "shared", scope: "all" })).toBe(true);
    expect(await claim("claims-too", { key: "shared", scope: "all" })).toBe(false);
    const race = await Promise.all(Array.from({ length: 12 }, () => claim("claims", { key: "race" })));
    expect(race.filter(Boolean)).toHaveLength(1);
    expect(await claim("claims", { key: "short", ttlSeconds: 1 })).toBe(true);
    await eventually(() => claim("claims", { key: "short", ttlSeconds: 60 }), "the end of the claim");
    const other = await newApp(nodes.owner);
    await deployFunction(nodes.agent, other, "claims", code, http("none"));
    expect((await nobody("POST", `/v1/${other}/fn/claims`, { key: "order-1" })).body).toBe(true);
  });
});

describe("ctx.env", () => {
  const ENV =
    "export const handler = (_: Request, { env }: any) => Object.fromEntries(Object.entries(env).filter(([k]) => !k.startsWith('BUTTERBASE_')));";
  const read = async (name = "env") => (await call(name)).body;

  it("merges and removes, at once, over HTTP and MCP", async () => {
    await deploy("env", ENV, { envVars: { A: "1", B: "zwei ☃" } });
    await deploy("env-of-another", ENV, { envVars: { A: "other" } });
    expect(await read()).toEqual({ A: "1", B: "zwei ☃" });
    const patched = must(
      await nodes.owner("PATCH", `/v1/${appId}/functions/env/env`, { envVars: { C: "3" } }),
    );
    expect(patched.updatedKeys).toEqual(["C"]);
    expect(await read()).toEqual({ A: "1", B: "zwei ☃", C: "3" });
    must(await nodes.owner("PATCH", `/v1/${appId}/functions/env/env`, { envVars: { A: null, C: "drei" } }));
    expect(await read()).toEqual({ B: "zwei ☃", C: "drei" });
    await callTool(nodes.agent, "manage_function", {
      app_id: appId,
      action: "update_env",
      function_name: "env",
      env: { D: "" },
    });
    expect(await read()).toEqual({ B: "zwei ☃", C: "drei", D: "" });
    expect(await read("env-of-another")).toEqual({ A: "other" });
    // A deploy that names none keeps them; so does going back to an older version.
    await deploy("env", `// again\n${ENV}`);
    expect(await read()).toEqual({ B: "zwei ☃", C: "drei", D: "" });
    must(await nodes.owner("POST", `/v1/${appId}/functions/env/rollback`, { version: 1 }));
    expect(await read()).toEqual({ B: "zwei ☃", C: "drei", D: "" });
  });

  it("can't be read back, anywhere", async () => {
    const secret = "hunter2-hunter2";
    await deploy("sealed", ENV, {
      envVars: { PASSWORD: secret },
      triggers: [
        { type: "http", config: { auth: "none" } },
        { type: "webhook", config: { provider: "github", secret: "webhook-hunter3" } },
      ],
    });
    const shown = [
      await nodes.owner("GET", `/v1/${appId}/functions`),
      await nodes.owner("GET", `/v1/${appId}/functions/sealed`),
      await nodes.owner("GET", `/v1/${appId}/functions/sealed/versions`),
      await nodes.owner("GET", `/v1/${appId}/audit-logs?limit=200`),
      await callTool(nodes.agent, "manage_function", {
        app_id: appId,
        action: "get",
        function_name: "sealed",
      }),
      (await nodes.database.query("select f::text from ambit.functions f")).rows,
      (await nodes.database.query("select t::text from ambit.function_triggers t")).rows,
      nodes.server.output(),
    ];
    for (const each of shown) expect(JSON.stringify(each)).not.toMatch(/hunter2|hunter3/);
    expect((shown[1] as any).body.envKeys).toEqual(["PASSWORD"]);
    expect((await call("sealed")).body).toEqual({ PASSWORD: secret });
  });

  it("holds nothing of the server, and its names can't be taken", async () => {
    await deploy(
      "all",
      "export const handler = (_: Request, { env }: any) => [Object.keys(env), typeof (globalThis as any).process, Object.keys((globalThis as any).process?.env ?? {})];",
    );
    const [names, , hosts] = (await call("all")).body;
    expect(names.filter((name: string) => !name.startsWith("BUTTERBASE_"))).toEqual([]);
    expect(hosts).toEqual([]);
    for (const name of ["BUTTERBASE_APP_ID", "AMBIT_MASTER_KEY"]) {
      const refused = await nodes.owner("PATCH", `/v1/${appId}/functions/all/env`, {
        envVars: { [name]: "x" },
      });
      expect([refused.status, refused.body.error.details.reason]).toEqual([400, "RESERVED_ENV_KEY"]);
    }
    expect((await refusal(deploy("all", ENV, { envVars: { "not a name": "x" } }))).code).toMatch(
      /^VALIDATION/,
    );
  });
});
