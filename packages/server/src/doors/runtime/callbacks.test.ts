import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { App } from "../../kernel/operation.ts";
import { functionsStage, type Stage } from "../functions/testing/stage.ts";

let stage: Stage;
let app: App;
const http = [{ type: "http" as const, config: { auth: "none" } }];
/** Runs the statement it is sent, and tells what came of it. */
const SQL = `export async function handler(req: Request, ctx: any) {
  const { sql, params, as } = await req.json();
  const db = as === "anon" ? ctx.db.asAnon() : as === "service" ? ctx.db.asService() : as ? ctx.db.asUser(as) : ctx.db;
  try { return await db.query(sql, params); } catch (error: any) {
    return { code: error.code, status: error.status, message: error.message, details: error.details };
  }
}`;

beforeAll(async () => {
  stage = await functionsStage();
  app = await stage.createApp();
  const { database } = stage.platform;
  await database.ownerTransaction(app.id, async (tx) => {
    await tx.query(
      "create table notes (id serial primary key, owner text not null, body text, tags text[], meta jsonb, at timestamptz)",
    );
    await tx.query("alter table notes enable row level security");
    await tx.query(
      `create policy own on notes to butterbase_user using (owner = current_setting('request.jwt.claims')::jsonb->>'sub') with check (owner = current_setting('request.jwt.claims')::jsonb->>'sub')`,
    );
    await tx.query("create policy all_of_it on notes to butterbase_service using (true) with check (true)");
    await tx.query("insert into notes (owner, body) values ('u1', 'one'), ('u2', 'two')");
  });
  await stage.deploy(app, "sql", SQL, { triggers: http });
  await stage.deploy(app, "trusted", SQL, { triggers: http, runAs: "service" });
});
afterAll(() => stage.stop());

async function run(
  question: { sql: string; params?: unknown[]; as?: string },
  authorization?: string,
  name = "sql",
): Promise<any> {
  const response = await stage.call(`/v1/${app.id}/fn/${name}`, {
    method: "POST",
    body: JSON.stringify(question),
    headers: authorization === undefined ? {} : { authorization },
  });
  expect(response.status).toBe(200);
  return response.json();
}
const OWNERS = "select owner from notes order by 1";
const ownersOf = async (...more: [as?: string, authorization?: string, name?: string]) => {
  const [as, authorization, name] = more;
  const answer = await run({ sql: OWNERS, ...(as === undefined ? {} : { as }) }, authorization, name);
  return answer.code ?? answer.rows.map(({ owner }: { owner: string }) => owner);
};

describe("ctx.db", () => {
  it("sees what its caller may see", async () => {
    const token = stage.user(app, "u1");
    expect(await ownersOf(undefined, token)).toEqual(["u1"]);
    expect(await ownersOf()).toEqual([]);
    expect(await ownersOf("anon", token)).toEqual([]);
    expect(await ownersOf(undefined, stage.key().bearer)).toEqual(["u1", "u2"]);
    expect(await ownersOf("u2", stage.key().bearer)).toEqual(["u2"]);
  });

  it("is service, or somebody else, only where the function's owner asked for it", async () => {
    const token = stage.user(app, "u1");
    for (const as of ["service", "u2"]) {
      expect(await ownersOf(as, token)).toBe("AUTH_INSUFFICIENT_PERMISSIONS");
      expect(await ownersOf(as)).toBe("AUTH_INSUFFICIENT_PERMISSIONS");
    }
    expect(await ownersOf("u1", token)).toEqual(["u1"]);
    expect(await ownersOf("service", undefined, "trusted")).toEqual(["u1", "u2"]);
    expect(await ownersOf("u2", undefined, "trusted")).toEqual(["u2"]);
    expect(await ownersOf(undefined, undefined, "trusted")).toEqual([]);
    await stage.functions.updateSettings(app.id, "trusted", { runAs: "caller" });
    expect(await ownersOf("service", undefined, "trusted")).toBe("AUTH_INSUFFICIENT_PERMISSIONS");
  });

  it("refuses what would leave its role or its one statement, and stays who it was", async () => {
    const token = stage.user(app, "u1");
    for (const sql of [
      "set role postgres",
      "reset role",
      `set local role ${app.id}_service`,
      `select set_config('role', '${app.id}_service', true)`,
      "select set_config('request.jwt.claims', '{\"sub\":\"u2\"}', true)",
      "select 1; select 2",
      "select 1; reset role; select * from notes",
      "begin",
      "commit; select 1",
      "select * from ambit.apps",
      "select * from pg_catalog.pg_authid",
      "select pg_sleep(10)",
      "select pg_read_file('/etc/passwd')",
      "copy notes to program 'true'",
      "do $$ begin end $$",
      "listen x",
      "drop table notes",
      "create table mine (id int)",
      "",
    ]) {
      expect((await run({ sql }, token)).code, sql).toMatch(/^SQL_REFUSED$/);
    }
    expect(await ownersOf(undefined, token)).toEqual(["u1"]);
    const injected = await run(
      { sql: "select owner from notes where owner = $1", params: ["u2' or true; reset role --"] },
      token,
    );
    expect(injected.rows).toEqual([]);
  });

  it("writes as its caller", async () => {
    const token = stage.user(app, "u3");
    const insert = "insert into notes (owner, body) values ($1, $2) returning owner, body";
    expect((await run({ sql: insert, params: ["u3", "mine"] }, token)).rows).toEqual([
      { owner: "u3", body: "mine" },
    ]);
    expect(await run({ sql: insert, params: ["u1", "not mine"] }, token)).toMatchObject({
      code: "AUTH_RLS_POLICY_VIOLATION",
      status: 403,
    });
    const all = await run({ sql: "update notes set body = 'x'" }, token);
    expect(all).toMatchObject({ rows: [], row_count: 1 });
    expect(await run({ sql: "delete from notes" }, token)).toMatchObject({ row_count: 1 });
  });

  it("takes and gives values as JSON has them", async () => {
    const bearer = stage.key().bearer;
    const sql = `insert into notes (owner, body, tags, meta, at) values ($1, $2, $3, $4, $5)
      returning body, tags, meta, at, $6::int + 1 as n, $7::boolean as yes, 9007199254740993 as big`;
    const params = ["u9", null, ["a,b", 'q"\\', null], { deep: [1, "é"] }, "2026-01-02T03:04:05Z", 41, true];
    const { rows, columns, row_count, truncated } = await run({ sql, params }, bearer);
    expect(rows[0]).toMatchObject({
      body: null,
      tags: ["a,b", 'q"\\', null],
      meta: { deep: [1, "é"] },
      at: "2026-01-02T03:04:05+00:00",
      n: 42,
      yes: true,
    });
    expect(columns.slice(0, 3)).toEqual([
      { name: "body", type: "text" },
      { name: "tags", type: "" },
      { name: "meta", type: "jsonb" },
    ]);
    expect([row_count, truncated]).toEqual([1, false]);
    const any = await run(
      { sql: "select count(*)::int as n from notes where owner = any($1)", params: [["u1", "u9"]] },
      bearer,
    );
    expect(any.rows).toEqual([{ n: 2 }]);
    expect(await run({ sql: "select $1::int", params: ["x"] }, bearer)).toMatchObject({ code: "SQL_ERROR" });
  });

  it("bounds its answers, and goes on after one that was too large", async () => {
    const bearer = stage.key().bearer;
    const many = await run({ sql: "select n from generate_series(1, 20000) n" }, bearer);
    expect(many.rows.length).toBe(10_000);
    expect(many).toMatchObject({ truncated: true, row_count: 10_000 });
    const wide = "select string_agg(repeat('x', 9000), '') as x from generate_series(1, 4000) n";
    expect(await run({ sql: wide }, bearer)).toMatchObject({ code: "RESPONSE_TOO_LARGE" });
    expect((await run({ sql: "select 1 as one" }, bearer)).rows).toEqual([{ one: 1 }]);
  });
});

describe("questions that are long and slow", () => {
  it("are held up to a bound per app, and what was held is given back", async () => {
    // Streams in the place of the text: none of it is in the app's own memory.
    const code = `export const handler = async (req: Request, ctx: any) => {
      const chunk = new Uint8Array(64 * 1024).fill(32);
      const real = JSON.stringify;
      let refused = () => {};
      const over = new Promise<void>((done) => { refused = done; });
      JSON.stringify = () => {
        let left = 144;
        return new ReadableStream({ async pull(c) { if (left-- > 0) c.enqueue(chunk); else { await over; c.close(); } } }) as any;
      };
      const asked = Array.from({ length: 9 }, () => ctx.db.query("").catch((e: any) => {
        if (e.code === "QUOTA_RATE_LIMIT") refused();
        return e.code;
      }));
      JSON.stringify = real;
      const codes = await Promise.all(asked);
      return [codes, (await ctx.db.query("select 1 as one")).rows];
    };`;
    await stage.deploy(app, "slow", code, { triggers: http });
    for (let round = 0; round < 2; round++) {
      const [codes, rows]: any = await (await stage.call(`/v1/${app.id}/fn/slow`)).json();
      expect(codes.filter((each: string) => each === "VALIDATION_INVALID_JSON").length).toBeGreaterThan(5);
      expect(codes).toContain("QUOTA_RATE_LIMIT");
      expect(rows).toEqual([{ one: 1 }]);
    }
  });
});

describe("work after the answer", () => {
  it("goes on as the caller when it was handed over, and is refused when it was not", async () => {
    const insert = "ctx.db.query('insert into notes (owner, body) values ($1, $2)', [ctx.user.id, word])";
    const code = `export const handler = (req: Request, ctx: any) => {
      const later = (word: string) => new Promise((done) => setTimeout(done, 300)).then(() => ${insert});
      if (new URL(req.url).searchParams.has("waits")) ctx.waitUntil(later("waited")); else later("forgotten").catch(() => {});
      return 1;
    };`;
    await stage.deploy(app, "later", code, { triggers: http });
    const headers = { authorization: stage.user(app, "u7") };
    for (const query of ["?waits", ""])
      expect((await stage.call(`/v1/${app.id}/fn/later${query}`, { headers })).status).toBe(200);
    const written = async () =>
      (await run({ sql: "select body from notes where owner = 'u7'" }, stage.key().bearer)).rows;
    await expect.poll(written, { timeout: 5_000 }).toEqual([{ body: "waited" }]);
    await new Promise((done) => setTimeout(done, 500));
    expect(await written()).toEqual([{ body: "waited" }]);
  });
});

describe("a statement whose caller goes away", () => {
  it("is cancelled", async () => {
    const running = async () =>
      (
        await stage.asSuperuser(
          "select 1 from pg_stat_activity where usename = $1 and state = 'active' and query like '%generate_series%'",
          [app.id],
        )
      ).length;
    const gone = new AbortController();
    const asked = stage.call(`/v1/${app.id}/fn/sql`, {
      method: "POST",
      body: JSON.stringify({ sql: "select count(*) from generate_series(1, 2000000000) n" }),
      signal: gone.signal,
    });
    asked.catch(() => {});
    await expect.poll(running, { timeout: 5_000 }).toBe(1);
    gone.abort();
    await expect.poll(running, { timeout: 5_000 }).toBe(0);
    expect((await run({ sql: "select 1 as one" })).rows).toEqual([{ one: 1 }]);
  });
});

describe("calls inside an app", () => {
  it("carry the caller, name who calls, and need no public route", async () => {
    const told =
      "({ user: ctx.user, caller: ctx.caller, trigger: ctx.trigger, depth: ctx.request.loopDepth, url: req.url })";
    const inner = `export const handler = (req: Request, ctx: any) => ${told};`;
    await stage.deploy(app, "inner", inner, { triggers: [{ type: "websocket", config: { event: "x" } }] });
    const outer =
      "export const handler = (req: Request, ctx: any) => ctx.invoke('inner', { a: 1 }, { path: '/p?q=1', headers: { 'x-butterbase-caller-user': 'forged' } });";
    await stage.deploy(app, "outer", outer, { triggers: http });
    expect((await stage.call(`/v1/${app.id}/fn/inner`)).status).toBe(404);
    const response = await stage.call(`/v1/${app.id}/fn/outer`, {
      headers: { authorization: stage.user(app, "u1") },
    });
    expect(await response.json()).toEqual({
      user: { id: "u1" },
      caller: { type: "end_user_jwt", userId: "u1", internalCaller: "outer" },
      trigger: "internal",
      depth: 1,
      url: `http://${app.subdomain}.localhost:4000/fn/inner/p?q=1`,
    });
  });

  it("end when they go round in a circle", async () => {
    const code = `export const handler = async (req: Request, ctx: any) => {
      try { const next = await ctx.invoke('round', null); return { depth: ctx.request.loopDepth, next: await next.json() }; }
      catch (error: any) { return { depth: ctx.request.loopDepth, code: error.code }; }
    };`;
    await stage.deploy(app, "round", code, { triggers: http });
    const text = await (await stage.call(`/v1/${app.id}/fn/round`)).text();
    expect(text).toContain('"depth":4,"code":"LOOP_DEPTH_EXCEEDED"');
  });

  it("end there too when an actor hides how deep it is called", async () => {
    const circle = `export class Circle {
      constructor(state, env) { this.state = state; this.env = env; }
      async fetch(req) {
        const headers = new Headers(req.headers);
        headers.set("x-butterbase-loop-depth", "0");
        const ctx = butterbase.ctx(new Request(req.url, { headers }), this.env, this.state);
        const next = await ctx.invokeDO("circle", "x", null);
        return new Response("." + (await next.text()));
      }
    }`;
    const deploy = stage.actors.operations.find(({ name }) => name === "durable_objects.deploy")!;
    const call = { app, principal: stage.key().principal, signal: new AbortController().signal };
    await deploy.run(call as never, { app_id: app.id, name: "circle", code: circle } as never);
    const enter = "export const handler = (req: Request, ctx: any) => ctx.invokeDO('circle', 'x', null);";
    await stage.deploy(app, "enter", enter, { triggers: http });
    const text = await (await stage.call(`/v1/${app.id}/fn/enter`)).text();
    expect(text).toMatch(/^\.{4}\{.*"LOOP_DEPTH_EXCEEDED"/);
  });

  it("claim a key once", async () => {
    const code = `export const handler = async (req: Request, ctx: any) => [
      await ctx.idempotency.claim("k"), await ctx.idempotency.claim("k"), await ctx.idempotency.claim("k", { scope: "other" })];`;
    await stage.deploy(app, "once", code, { triggers: http });
    expect(await (await stage.call(`/v1/${app.id}/fn/once`)).json()).toEqual([true, false, true]);
  });

  it("lead to actors and from actors to functions, with the caller at the outside", async () => {
    const room = `export class Room {
      constructor(state, env) { this.state = state; this.env = env; }
      async fetch(req) {
        const ctx = butterbase.ctx(req, this.env, this.state);
        const n = ((await this.state.storage.get("n")) ?? 0) + 1;
        await this.state.storage.put("n", n);
        const told = await (await ctx.invoke("told", { n })).json();
        return Response.json({ n, path: new URL(req.url).pathname, user: ctx.user, by: ctx.request.caller, type: ctx.request.callerType, depth: ctx.request.loopDepth, told });
      }
    }`;
    const deploy = stage.actors.operations.find(({ name }) => name === "durable_objects.deploy")!;
    const call = { app, principal: stage.key().principal, signal: new AbortController().signal };
    await deploy.run(
      call as never,
      { app_id: app.id, name: "room", code: room, access_mode: "service_key" } as never,
    );
    const told =
      "export const handler = async (req: Request, ctx: any) => ({ ...(await req.json()), user: ctx.user, by: ctx.caller.internalCaller, depth: ctx.request.loopDepth });";
    await stage.deploy(app, "told", told);
    const asks =
      "export const handler = (req: Request, ctx: any) => ctx.invokeDO('room', 'lob/by', { a: 1 }, { path: '/x' });";
    await stage.deploy(app, "asks", asks, { triggers: http });
    const headers = { authorization: stage.user(app, "u1") };
    for (const n of [1, 2]) {
      expect(await (await stage.call(`/v1/${app.id}/fn/asks`, { headers })).json()).toEqual({
        n,
        path: "/_do/room/lob%2Fby/x",
        user: { id: "u1" },
        by: "asks",
        type: "function",
        depth: 1,
        told: { n, user: { id: "u1" }, by: "room", depth: 2 },
      });
    }
    const none = "export const handler = (req: Request, ctx: any) => ctx.invokeDO('no-such', 'x');";
    await stage.deploy(app, "none", none, { triggers: http });
    expect((await stage.call(`/v1/${app.id}/fn/none`)).status).toBe(404);
  });

  it("are not answered without a request under way, nor for another program's", async () => {
    const code = `export const handler = async (req: Request, ctx: any) => {
      const id = req.headers.get("x-steal");
      if (id === null) { await new Promise((done) => setTimeout(done, 700)); return ctx.request.id; }
      try { return await ctx.db.query("select 1 as one"); } catch (error: any) { return error.code; }
    };`;
    const other = await stage.createApp();
    await stage.deploy(other, "thief", code, { triggers: http });
    // The door itself, as a process of the other app would reach it: with the id of a request of this app.
    let requestId = "";
    const seen = stage.runtime.invocations.begin;
    stage.runtime.invocations.begin = (invocation) => {
      if (invocation.appId === app.id) requestId = invocation.requestId;
      seen.call(stage.runtime.invocations, invocation);
    };
    await stage.deploy(app, "waits", code, { triggers: http });
    const waiting = stage.call(`/v1/${app.id}/fn/waits`);
    await expect.poll(() => requestId).not.toBe("");
    expect(stage.runtime.invocations.find(app.id, "functions", requestId)).not.toBeNull();
    expect(stage.runtime.invocations.find(other.id, "functions", requestId)).toBeNull();
    expect(stage.runtime.invocations.find(app.id, "actors", requestId)).toBeNull();
    expect(await (await waiting).json()).toBe(requestId);
    expect(stage.runtime.invocations.find(app.id, "functions", requestId)).toBeNull();
    stage.runtime.invocations.begin = seen;
  });
});
