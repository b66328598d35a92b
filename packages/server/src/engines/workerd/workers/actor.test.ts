import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { actorProgram } from "../config/testing/program.ts";
import { eventually, type Running, run, stopAll } from "../config/testing/run.ts";

const EXTENDS = 'import { DurableObject } from "cloudflare:workers";';

const probe = `${EXTENDS}
import { env as imported } from "cloudflare:workers";
const atLoad = Object.keys(imported);
class Base extends DurableObject { inherited() { return "inherited"; } }
export class Probe extends Base {
  static made = 0;
  static #secret = 7;
  static get secret() { return this.#secret; }
  #private = 1;
  field = "field";
  constructor(ctx, env) {
    super(ctx, env);
    Probe.made++;
    this.seen = { sameCtx: ctx === this.ctx, sameEnv: env === this.env, args: arguments.length, target: new.target.name };
  }
  get total() { return this.#private; }
  async fetch(request) {
    const path = new URL(request.url).pathname.split("/").slice(4).join("/");
    if (path === "shape") return Response.json({
      seen: this.seen, name: this.constructor.name, own: Object.keys(this), isProbe: this instanceof Probe,
      isBase: this instanceof DurableObject, made: Probe.made, secret: this.constructor.secret, total: this.total,
      id: this.ctx.id.name, ctxIsState: this.ctx.constructor.name, storage: this.ctx.storage.constructor.name,
      env: Object.keys(this.env), imported: Object.keys(imported), atLoad, frame: new Error().stack.split("\\n")[1],
      source: this.constructor.toString() + this.fetch.toString() + Object.getPrototypeOf(this.constructor).toString(),
    });
    if (path === "peer") return Response.json(await this.env.PEER.getByName("p").add(2, 3));
    if (path === "peer-error") { try { await this.env.PEER.getByName("p").fail(); } catch (error) { return Response.json([error.name, error.message]); } }
    if (path === "echo") return new Response(request.body, { headers: request.headers });
    if (path === "throw") throw new Error("secret detail");
    if (path === "sql") {
      this.ctx.storage.sql.exec("create table if not exists t (a)");
      const bad = () => this.ctx.storage.transactionSync(() => { this.ctx.storage.sql.exec("insert into t values (1)"); throw new Error("no"); });
      try { bad(); } catch {}
      this.ctx.storage.sql.exec("insert into t values (?), (?)", 2, "b");
      return Response.json(this.ctx.storage.sql.exec("select a from t").toArray());
    }
    if (path === "transaction") {
      await this.ctx.storage.put({ a: 1, b: 2 });
      await this.ctx.storage.transaction(async (txn) => { await txn.put("a", 5); txn.rollback(); });
      const kept = await this.ctx.storage.transaction(async (txn) => { await txn.put("b", 9); return "kept"; });
      this.ctx.storage.kv.put("c", new Date(0));
      return Response.json([kept, Object.fromEntries(await this.ctx.storage.list())]);
    }
    if (path === "alarm") { await this.ctx.storage.setAlarm(Date.now() + 10); return new Response("set"); }
    if (path === "alarmed") return Response.json((await this.ctx.storage.get("alarmed")) ?? null);
    if (path === "gate") return Response.json(await this.ctx.blockConcurrencyWhile(async () => "in"));
    if (path === "socket") {
      const [client, server] = Object.values(new WebSocketPair());
      this.ctx.acceptWebSocket(server, ["tag"]);
      server.serializeAttachment({ who: request.headers.get("x-who") });
      return new Response(null, { status: 101, webSocket: client });
    }
    return new Response("?", { status: 404 });
  }
  async alarm(info) { await this.ctx.storage.put("alarmed", [info.retryCount, this.field]); }
  async webSocketMessage(socket, message) {
    const { who } = socket.deserializeAttachment();
    for (const other of this.ctx.getWebSockets("tag")) other.send(who + ":" + message);
  }
  async webSocketClose(socket, code) { await this.ctx.storage.put("closed", code); }
}`;

const peer = `${EXTENDS}
export class Peer extends DurableObject {
  add(a, b) { return { sum: a + b, by: this.constructor.name, inherited: typeof this.env.PROBE }; }
  fail() { throw new RangeError("not so"); }
}`;

const plain = `export class Plain {
  constructor(state, env) { this.state = state; this.env = env; }
  fetch = async (request) => new Response([Object.keys(this).join(), this.state.id.name, this.env.WORD].join(" "));
}`;

const silent = `${EXTENDS} export class Silent extends DurableObject {}`;

let running: Running;
beforeAll(async () => {
  const program = actorProgram({ probe, peer, silent, plain: { code: plain, env: { WORD: "höre" } } });
  running = await run(program);
});
afterAll(stopAll);

const ask = async (path: string) => (await running.actor(`/_do/probe/x/${path}`)).json();

describe("the wrapper does not show", () => {
  it("in construction, names, statics, private members and env", async () => {
    const shape = await ask("shape");
    expect(shape).toMatchObject({
      seen: { sameCtx: true, sameEnv: true, args: 2, target: "Probe" },
      name: "Probe",
      own: ["ctx", "env", "field", "seen"],
      isProbe: true,
      isBase: true,
      made: 1,
      secret: 7,
      total: 1,
      id: "x",
      ctxIsState: "DurableObjectState",
      storage: "DurableObjectStorage",
    });
    expect(shape.frame).toContain("at Probe.fetch (probe.js:");
  });

  it("and nothing of Ambit's can be reached from env, an import or a function's text", async () => {
    const shape = await ask("shape");
    const namespaces = ["PEER", "PLAIN", "PROBE", "SILENT"];
    for (const keys of [shape.env, shape.imported, shape.atLoad]) expect(keys.sort()).toEqual(namespaces);
    for (const secret of [running.tokens.inspect.probe, running.tokens.units.probe])
      expect(shape.source).not.toContain(secret);
  });

  it("in RPC between classes, with its errors", async () => {
    expect(await ask("peer")).toEqual({ sum: 5, by: "Peer", inherited: "object" });
    expect(await ask("peer-error")).toEqual(["RangeError", "not so"]);
  });

  it("in SQL, transactions and their rollback", async () => {
    expect(await ask("sql")).toEqual([{ a: 2 }, { a: "b" }]);
    expect(await ask("transaction")).toEqual(["kept", { a: 1, b: 9, c: "1970-01-01T00:00:00.000Z" }]);
    expect(await ask("gate")).toBe("in");
  });

  it("in alarms", async () => {
    await running.actor("/_do/probe/alarm/alarm");
    const found = await eventually(
      async () => (await running.actor("/_do/probe/alarm/alarmed")).json() ?? undefined,
    );
    expect(found).toEqual([0, "field"]);
  });

  it("in sockets that can hibernate", async () => {
    const open = (who: string) => {
      const url = `ws+unix://${running.socketsDir}/do-2.sock:/_do/probe/room/socket`;
      const socket = new WebSocket(url, { headers: { host: "app.test", "x-who": who } });
      const heard: string[] = [];
      socket.on("message", (data) => heard.push(String(data)));
      return new Promise<{ socket: WebSocket; heard: string[] }>((resolve, reject) => {
        socket.once("open", () => resolve({ socket, heard }));
        socket.once("error", reject);
      });
    };
    const [ann, bob] = [await open("ann"), await open("bob")];
    ann.socket.send("hi");
    await eventually(() => bob.heard[0]);
    expect(bob.heard).toEqual(["ann:hi"]);
    bob.socket.close(4001, "bye");
    const closed = await eventually(async () => {
      const { value } = (await running.inspect("probe", "room", { op: "kv_get", key: "closed" })).json();
      return value as number | undefined;
    });
    expect(closed).toBe(4001);
    ann.socket.terminate();
  });

  it("for plain classes, even with fetch as a field", async () => {
    const answer = await running.actor("/_do/plain/p");
    expect(answer.body).toBe("fetch,state,env p höre");
    expect((await running.inspect("plain", "p", { op: "alarm" })).json()).toEqual({ atMs: null });
  });

  it("for classes without fetch", async () => {
    const headers = { "x-butterbase-caller-type": "service_key" };
    const answer = await running.actor("/_do/silent/s", { headers });
    expect(answer.status).toBe(500);
    expect(answer.json().error.message).toBe("Handler does not export a fetch() function.");
    expect((await running.inspect("silent", "s", { op: "alarm" })).status).toBe(200);
  });
});

it("bodies and headers pass unchanged, in streams too", async () => {
  const body = Buffer.from(Array.from({ length: 70_000 }, (_, i) => i % 256));
  const { Readable } = await import("node:stream");
  const headers = { "x-kept": "yes", "content-type": "application/octet-stream" };
  const answer = await running.actor("/_do/probe/x/echo", {
    method: "PUT",
    body: Readable.from([body.subarray(0, 3), body.subarray(3)]),
    headers,
  });
  expect(answer.headers["x-kept"]).toBe("yes");
  expect(answer.body).toBe(body.toString("utf8"));
});

describe("failures", () => {
  it("tell outsiders nothing and a developer's key the message", async () => {
    const outsider = await running.actor("/_do/probe/x/throw");
    expect(outsider.status).toBe(500);
    expect(outsider.json().error).toMatchObject({ code: "ACTOR_EXCEPTION" });
    expect(outsider.body).not.toContain("secret detail");
    const headers = { "x-butterbase-caller-type": "service_key" };
    expect((await running.actor("/_do/probe/x/throw", { headers })).json().error.message).toBe(
      "secret detail",
    );
  });
});
