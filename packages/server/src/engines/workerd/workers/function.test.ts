import { Readable } from "node:stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { functionProgram } from "../config/testing/program.ts";
import { eventually, type Running, run, type Sent, stopAll } from "../config/testing/run.ts";
import type { FunctionContext } from "../headers.ts";

const lab = `
import { env as imported } from "cloudflare:workers";
const tries = {
  data: async (request, ctx) => ({
    url: request.url, env: ctx.env, imported: Object.keys(imported), user: ctx.user, caller: ctx.caller, app: ctx.app,
    request: ctx.request, trigger: ctx.trigger, global: typeof butterbase,
  }),
  text: () => "text", none: () => undefined, null: () => null, list: () => [1, { a: 2 }], big: () => 1n,
  response: () => new Response("made", { status: 201, headers: { "x-mine": "1" } }),
  throws: () => { throw new TypeError("secret detail"); },
  throwsOdd: () => { throw Object.create(null); },
  throwsTrap: () => { const e = new Error(); for (const key of ["message", "name", "stack"]) Object.defineProperty(e, key, { get() { throw 1; } }); throw e; },
  logsTrap: () => { console.log({ get a() { throw 1; } }, Object.create(null), () => 1); return "fine"; },
  modules: async () => { const got = []; for (const name of ["node:fs", "node:net", "node:child_process", "node:buffer", "node:vm"]) await import(name).then(() => got.push(name), () => {}); return got; },
  throwsText: async () => { throw "just text"; },
  echo: (request) => new Response(request.body, { headers: { "x-type": request.headers.get("content-type") } }),
  stream: () => new Response(ReadableStream.from(["a", "b", "c"].map((text) => new TextEncoder().encode(text)))),
  query: (_request, { db }) => db.query("select $1::int", [1]),
  asUser: (_request, { db }) => db.asUser("u2").query("select 1"),
  asAnon: (_request, { db }) => db.asAnon().query("select 1"),
  asService: (_request, { db }) => db.asService().query("select 1"),
  refused: async (_request, ctx) => {
    try { await ctx.db.query("refuse"); } catch (error) { return [error.name, error.code, error.status, error.message, error.details]; }
  },
  broken: async (_request, ctx) => { try { await ctx.db.query("broken"); } catch (error) { return [error.code, error.status]; } },
  claim: async (_request, { idempotency }) => [await idempotency.claim("k", { scope: "s", ttlSeconds: 60 }), await idempotency.claim("again")],
  invoke: async (_request, { invoke }) => (await invoke("other", { a: 1 })).json(),
  invokeDO: async (_request, ctx) => (await ctx.invokeDO("chat-room", "lobby", null, { method: "GET", path: "/x" })).json(),
  passed: (_request, ctx) => ctx.invoke("other", "x"),
  "fails-later": (_request, ctx) => { ctx.waitUntil(Promise.reject(new RangeError("too late"))); },
  floats: () => { Promise.reject(new Error("nobody waits")); },
  mixed: async (request) => {
    const id = request.headers.get("x-request-id");
    console.log("begin", id);
    await new Promise((resolve) => setTimeout(resolve, 5 + Math.random() * 20));
    console.log("end", id);
  },
  waits: (_request, { waitUntil, invoke }) => {
    waitUntil(new Promise((resolve) => setTimeout(resolve, 150)).then(() => invoke("later")));
    return invoke("now");
  },
};
export const handler = (request, ctx) => tries[new URL(request.url).pathname.split("/").pop()](request, ctx);`;

const program = functionProgram({
  lab: { code: lab, env: { GREETING: "höre" } },
  default: { code: "export default async (request, ctx) => [request.method, ctx.user];", entry: "default" },
  object: {
    code: `const worker = { word: "this", fetch(request, env, ctx) { return Response.json([this.word, env.A, ctx.env.A, typeof ctx.waitUntil]); } };
export default worker;`,
    entry: "default",
    env: { A: "a" },
  },
});

const context: FunctionContext = {
  requestId: "req-1",
  functionName: "lab",
  trigger: "http",
  caller: { type: "end_user_jwt", userId: "u1" },
  user: { id: "u1", email: "é@x" },
  ip: "203.0.113.9",
  loopDepth: 0,
  app: { id: "app_1", name: "App", subdomain: "app" },
  mayUseService: false,
  verbose: false,
};

let running: Running;
beforeAll(async () => {
  running = await run(program, (call, response) => {
    const { sql } = call.path === "/db/query" ? JSON.parse(call.body) : { sql: null };
    if (sql === "broken") return response.writeHead(502).end("<html>");
    if (sql === "refuse") {
      const error = { code: "DENIED", message: "No.", remediation: "Ask.", details: { why: 1 } };
      return response.writeHead(403).end(JSON.stringify({ error }));
    }
    response.setHeader("x-from", "ambit");
    response.end(JSON.stringify({ ...call, claimed: call.body.includes('"scope"') }));
  });
});
afterAll(stopAll);

function ask(path: string, change: Partial<FunctionContext> = {}, sent: Sent = {}) {
  // As Ambit writes it: header values are ASCII.
  const said = JSON.stringify({ ...context, ...change }).replace(
    /[^\x20-\x7e]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  const headers = { "x-request-id": "req-1", "x-ambit-context": said, ...sent.headers };
  return running.function("lab", `/v1/app_1/fn/${path}`, { ...sent, headers });
}

describe("what a function is told", () => {
  it("is the context, its variables and nothing else", async () => {
    expect((await ask("data?q=1")).json()).toEqual({
      url: "http://app.test/v1/app_1/fn/data?q=1",
      env: { GREETING: "höre" },
      imported: ["GREETING"],
      user: context.user,
      caller: context.caller,
      app: context.app,
      trigger: "http",
      request: { id: "req-1", ip: "203.0.113.9", country: null, functionName: "lab", loopDepth: 0 },
      global: "undefined",
    });
  });

  it("is anonymous when nothing is said", async () => {
    const answer = await running.function("lab", "/data");
    expect(answer.json()).toMatchObject({ user: null, caller: { type: "anonymous" }, app: null });
  });
});

it("node's modules are not there", async () => {
  expect((await ask("modules")).json()).toEqual([]);
});

describe("entries", () => {
  it("may be a default export", async () => {
    expect((await running.function("default")).json()).toEqual(["GET", null]);
  });
  it("may be Cloudflare's object", async () => {
    expect((await running.function("object")).json()).toEqual(["this", "a", "a", "function"]);
  });
});

describe("answers", () => {
  it.each([
    ["text", 200, '"text"'],
    ["none", 204, ""],
    ["null", 200, "null"],
    ["list", 200, '[1,{"a":2}]'],
    ["response", 201, "made"],
    ["stream", 200, "abc"],
  ])("%s", async (name, status, body) => {
    const answer = await ask(name);
    expect([answer.status, answer.body, answer.headers["x-ambit-waiting"]]).toEqual([
      status,
      body,
      undefined,
    ]);
  });

  it("stream what they are sent, byte for byte", async () => {
    const body = Buffer.from(Array.from({ length: 100_000 }, (_, i) => (i * 7) % 128));
    const sent = {
      method: "POST",
      headers: { "content-type": "x/y" },
      body: Readable.from([body.subarray(0, 9), body.subarray(9)]),
    };
    const answer = await ask("echo", {}, sent);
    expect([answer.headers["x-type"], answer.body === body.toString()]).toEqual(["x/y", true]);
  });
});

describe("failures", () => {
  it("tell a developer message and stack, without our own frames", async () => {
    const answer = await ask("throws", { verbose: true });
    expect(answer.status).toBe(500);
    expect(answer.json().error).toBe("secret detail");
    expect(answer.json().stack).toMatch(/^TypeError: secret detail\n\s+at .*lab\.js:\d+:\d+/);
    expect(answer.json().stack).not.toContain("ambit/");
    expect((await ask("throwsText", { verbose: true })).json()).toEqual({ error: "just text" });
    expect((await ask("big", { verbose: true })).json().error).toMatch(/BigInt/);
  });

  it("stand whatever is thrown or logged", async () => {
    for (const name of ["throwsOdd", "throwsTrap"]) {
      const answer = await ask(name, { verbose: true });
      expect([answer.status, answer.json().error]).toEqual([500, "Something was thrown that can't be read."]);
    }
    expect((await ask("logsTrap", { verbose: true })).body).toBe('"fine"');
  });

  it("tell others only where to look", async () => {
    const answer = await ask("throws");
    expect([answer.status, answer.json()]).toEqual([
      500,
      { error: "The function failed.", request_id: "req-1" },
    ]);
  });

  it("reach the logs all the same", async () => {
    await ask("throws", { requestId: "req-log" }, { headers: { "x-request-id": "req-log" } });
    const event = await running.tailed((each) => each.requestId === "req-log");
    expect(event).toMatchObject({ unit: "lab", event: "fetch", outcome: "exception", status: 500 });
    expect(event.exceptions).toMatchObject([{ name: "TypeError", message: "secret detail" }]);
    expect(event.exceptions[0]!.stack).toMatch(/lab\.js:10:/);
  });
});

describe("callbacks", () => {
  const invocation = { "x-ambit-invocation": "req-1", "content-type": "application/json" };

  it.each([
    ["query", { sql: "select $1::int", params: [1] }],
    ["asUser", { sql: "select 1", as: { user: "u2" } }],
    ["asAnon", { sql: "select 1", as: "anon" }],
    ["asService", { sql: "select 1", as: "service" }],
  ])("db %s", async (name, body) => {
    const call = (await ask(name)).json();
    expect(call).toMatchObject({ method: "POST", path: "/db/query", headers: invocation });
    expect(JSON.parse(call.body)).toEqual(body);
  });

  it("throw what Ambit refuses", async () => {
    expect((await ask("refused")).json()).toEqual(["AmbitError", "DENIED", 403, "No. Ask.", { why: 1 }]);
    expect((await ask("broken")).json()).toEqual(["INTERNAL_ERROR", 502]);
  });

  it("claim keys", async () => {
    expect((await ask("claim")).json()).toEqual([true, false]);
    const bodies = running.callbacks
      .filter((call) => call.path === "/idempotency/claim")
      .map((call) => call.body);
    expect(bodies).toEqual(['{"key":"k","scope":"s","ttl_seconds":60}', '{"key":"again"}']);
  });

  it("call functions and actors", async () => {
    expect((await ask("invoke")).json()).toMatchObject({
      path: "/fn/other",
      headers: invocation,
      body: '{"a":1}',
    });
    expect((await ask("invokeDO")).json()).toMatchObject({
      method: "GET",
      path: "/do/chat-room/lobby/x",
      body: "",
    });
    const passed = await ask("passed");
    expect([passed.headers["x-from"], passed.json().body]).toEqual(["ambit", "x"]);
  });

  it("stop circles", async () => {
    const answer = await ask("passed", { loopDepth: 4, verbose: true });
    expect([answer.status, answer.json().error]).toEqual([500, expect.stringContaining("4 deep")]);
  });
});

it("waitUntil goes on after the answer, which says so", async () => {
  const answer = await ask("waits");
  expect([answer.headers["x-ambit-waiting"], answer.headers["x-from"], answer.json().path]).toEqual([
    "1",
    "ambit",
    "/fn/now",
  ]);
  const later = await eventually(() => running.callbacks.find((call) => call.path === "/fn/later"));
  expect(later.headers["x-ambit-invocation"]).toBe("req-1");
});

it("what fails after the answer reaches the logs", async () => {
  await ask("fails-later", {}, { headers: { "x-request-id": "req-later" } });
  const event = await running.tailed((each) => each.requestId === "req-later");
  expect(event).toMatchObject({
    outcome: "exception",
    exceptions: [{ name: "RangeError", message: "too late" }],
  });
  await ask("floats", {}, { headers: { "x-request-id": "req-floats" } });
  const floated = await running.tailed((each) => each.requestId === "req-floats");
  expect(floated.exceptions).toMatchObject([{ name: "Error", message: "nobody waits" }]);
});

it("lines belong to the request that wrote them, however requests mix", async () => {
  const ids = Array.from({ length: 20 }, (_, i) => `mix-${i}`);
  await Promise.all(ids.map((id) => ask("mixed", {}, { headers: { "x-request-id": id } })));
  for (const id of ids) {
    const event = await running.tailed((each) => each.requestId === id);
    expect(event.lines.map((line) => line.message)).toEqual([`begin ${id}`, `end ${id}`]);
  }
});

it("says https when clients use it", async () => {
  const secure = await run({ ...program, scheme: "https" });
  for (const headers of [undefined, { "x-ambit-scheme": "https" }, { "x-ambit-scheme": "http" }]) {
    const { url } = (await secure.function("lab", "/data", { method: "POST", body: "x", headers })).json();
    expect(url).toBe("https://app.test/data");
  }
});
