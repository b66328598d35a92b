import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { actorProgram } from "../config/testing/program.ts";
import { eventually, type Running, run, stopAll } from "../config/testing/run.ts";

const lab = `import { DurableObject } from "cloudflare:workers";
let built = 0;
class Base extends DurableObject { inherited(value) { console.log("inherited", value); return value; } }
export class Lab extends Base {
  constructor(ctx, env) {
    super(ctx, env);
    built++;
    if (ctx.id.name === "broken") throw new RangeError("not built");
    if (ctx.id.name === "greeting") console.log("built");
  }
  async fetch(request) {
    const path = new URL(request.url).pathname.split("/")[4];
    if (path === "built") return new Response(String(built));
    if (path === "rpc") return Response.json(await this.env.LAB.getByName("peer").greet(1, 2));
    if (path === "rpc-error") return new Response(await this.env.LAB.getByName("peer").fail().catch((e) => e.name + " " + e.message));
    if (path === "inner") { await 0; this.greet(1, 2); this.inherited(3); return new Response("ok"); }
    if (path === "alarm") { await this.ctx.storage.setAlarm(Date.now()); return new Response("set"); }
    if (path === "runs") return Response.json(await this.ctx.storage.get("seen") ?? []);
    if (path === "loose") { Promise.reject(new TypeError("nobody listens")); return new Response("ok"); }
    if (path === "late") { this.ctx.waitUntil(new Promise((r) => setTimeout(r, 300)).then(() => console.log("later"))); return new Response("ok"); }
    if (path === "abort") { console.log("before"); this.ctx.abort("enough"); }
    if (path === "long") { console.log("began"); await new Promise((r) => setTimeout(r, 60_000)); }
    if (path === "shape") return Response.json([this.greet.name, this.greet.length, this.greet.toString().includes("ambit"), Object.keys(this), Lab.prototype.greet !== undefined, Object.getOwnPropertyNames(Lab.prototype)]);
    const [client, server] = Object.values(new WebSocketPair());
    if (path === "plain") {
      server.accept();
      server.addEventListener("message", (event) => { console.log("heard", event.data); server.send("ok"); });
    } else this.ctx.acceptWebSocket(server);
    return new Response(null, { status: 101, webSocket: client });
  }
  greet(a, b) { console.log("greeted"); return this.inherited(a + b); }
  fail() { throw new RangeError("rpc failed"); }
  async alarm(info) {
    console.log("try", info.retryCount);
    seen.push(info.retryCount, await this.ctx.storage.get("torn") ?? "rolled back");
    if (info.retryCount === 0) { this.ctx.storage.put("torn", "kept"); throw new Error("first try"); }
    await this.ctx.storage.put("seen", seen);
  }
  webSocketMessage(socket, message) {
    if (message === "throw") throw new Error("bad message");
    console.log("got", message);
    socket.send(String(built));
  }
}
const seen = [];`;

const fields = `export class Fields {
  constructor(state) { this.state = state; }
  fetch = async () => { console.log("field"); await this.state.storage.setAlarm(Date.now()); return new Response("ok"); };
  alarm = () => { console.log("field alarm"); };
}`;

let running: Running;
let silent: Running;
beforeAll(async () => {
  running = await run(actorProgram({ lab, fields }));
  silent = await run(actorProgram({ lab, fields }, { logs: false }));
});
afterAll(stopAll);

const call = (path: string, id: string, unit = "lab") =>
  running.actor(`/_do/${unit}/${path}`, { headers: { "x-request-id": id } });
const toldOf = (id: string) => running.tailed((event) => event.requestId === id);
const messages = (event: { lines: readonly { message: string }[] }) =>
  event.lines.map((line) => line.message);

async function open(path: string): Promise<{ socket: WebSocket; heard: string[] }> {
  const socket = new WebSocket(`ws+unix://${running.socketsDir}/do-1.sock:/_do/lab/${path}`, {
    headers: { "x-request-id": `r-${path}` },
  });
  const heard: string[] = [];
  socket.on("message", (data) => heard.push(String(data)));
  await new Promise((resolve, reject) => {
    socket.once("open", resolve);
    socket.once("error", reject);
  });
  return { socket, heard };
}

describe("a run", () => {
  it("is a method called over RPC, and what it calls belongs to it", async () => {
    expect((await call("x/rpc", "r-rpc")).json()).toBe(3);
    const event = await running.tailed((each) => each.event === "rpc" && each.method === "greet");
    expect(messages(event)).toEqual(["greeted", "inherited 3"]);
    expect(event.actorId).toMatch(/^[0-9a-f]{64}$/);
    await call("x/inner", "r-inner");
    expect(messages(await toldOf("r-inner"))).toEqual(["greeted", "inherited 3", "inherited 3"]);
    expect((await call("x/rpc-error", "r-rpc-error")).body).toBe("RangeError rpc failed");
    const failed = await running.tailed((each) => each.method === "fail");
    expect(failed.exceptions[0]!.stack).toMatch(/^\s+at Lab\.fail \(lab\.js:\d+:\d+\)$/);
  });

  it("is a failing alarm, which is tried again as ever", async () => {
    const tries = async (each: Running) => {
      await each.actor("/_do/lab/alarmed/alarm");
      return eventually(async () => {
        const found = (await each.actor("/_do/lab/alarmed/runs")).json();
        return found.length > 0 ? found : undefined;
      });
    };
    const [logged, unlogged] = await Promise.all([tries(running), tries(silent)]);
    expect(logged).toEqual(unlogged);
    expect([logged[0], logged[2]]).toEqual([0, 1]);
    const first = await running.tailed((each) => each.event === "alarm" && each.outcome === "exception");
    expect(messages(first)).toEqual(["try 0"]);
    expect(first.exceptions[0]).toMatchObject({ name: "Error", message: "first try" });
    await running.tailed((each) => each.event === "alarm" && messages(each).includes("try 1"));
  });

  it("is a socket's message; lines of listeners are told without a request", async () => {
    const hibernating = await open("room/socket");
    hibernating.socket.send("hi");
    await running.tailed((each) => each.event === "websocket" && messages(each)[0] === "got hi");
    hibernating.socket.send("throw");
    const failed = await running.tailed((each) => each.event === "websocket" && each.outcome === "exception");
    expect(failed).toMatchObject({ method: "message", exceptions: [{ message: "bad message" }] });
    const plain = await open("plain-room/plain");
    plain.socket.send("one");
    const event = await running.tailed((each) => messages(each)[0] === "heard one");
    expect(event).toMatchObject({ event: "other", requestId: null });
    hibernating.socket.terminate();
    plain.socket.terminate();
  });

  it("is what fields of an instance handle", async () => {
    expect((await call("f", "r-field", "fields")).body).toBe("ok");
    expect(messages(await toldOf("r-field"))).toEqual(["field"]);
    await running.tailed((each) => each.event === "alarm" && messages(each)[0] === "field alarm");
  });

  it("tells what it logs late, and before its end if that is far", async () => {
    await call("x/late", "r-late");
    expect(messages(await toldOf("r-late"))).toEqual(["later"]);
    void call("x/long", "r-long").catch(() => {});
    expect(await toldOf("r-long")).toMatchObject({ status: null, lines: [{ message: "began" }] });
  });
});

describe("failures", () => {
  it("of a constructor name the request and the line", async () => {
    expect((await call("broken", "r-broken")).status).toBe(500);
    const event = await toldOf("r-broken");
    expect(event).toMatchObject({
      event: "fetch",
      outcome: "exception",
      method: "GET",
      path: "/_do/lab/broken",
    });
    expect(event.exceptions).toMatchObject([{ name: "RangeError", message: "not built" }]);
    expect(event.exceptions[0]!.stack).toMatch(/^\s+at new Lab \(lab\.js:8:\d+\)$/m);
    expect(event.exceptions[0]!.stack).not.toMatch(/ambit|AsyncLocalStorage/);
  });

  it("that nobody handles are told", async () => {
    await call("x/loose", "r-loose");
    expect((await toldOf("r-loose")).exceptions).toMatchObject([{ message: "nobody listens" }]);
  });

  it("that end the instance are told with their request", async () => {
    expect((await call("aborted/abort", "r-abort")).status).toBe(500);
    await running.tailed((each) => each.requestId === "r-abort" && each.exceptions[0]?.message === "enough");
    await running.tailed((each) => each.requestId === "r-abort" && messages(each)[0] === "before");
  });
});

it("a constructor's lines are told", async () => {
  await call("greeting/built", "r-greeting");
  const event = await running.tailed((each) => messages(each)[0] === "built");
  expect(event.actorId).toMatch(/^[0-9a-f]{64}$/);
});

it("methods look as they did", async () => {
  const shape = (await call("x/shape", "r-shape")).json();
  expect(shape.slice(0, 5)).toEqual(["greet", 2, false, ["ctx", "env"], true]);
  expect(shape[5]).toEqual(["constructor", "fetch", "greet", "fail", "alarm", "webSocketMessage"]);
});

it("an instance with sockets still hibernates", { timeout: 60_000 }, async () => {
  const { socket, heard } = await open("sleeper/socket");
  socket.send("first");
  await eventually(() => heard[0]);
  await new Promise((resolve) => setTimeout(resolve, 12_000));
  socket.send("second");
  await eventually(() => heard[1]);
  expect(Number(heard[1])).toBeGreaterThan(Number(heard[0]));
  socket.terminate();
});
