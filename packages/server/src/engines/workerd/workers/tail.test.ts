import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { actorProgram, functionProgram } from "../config/testing/program.ts";
import { eventually, type Running, run, stopAll } from "../config/testing/run.ts";
import type { TailBatch } from "../types.ts";

const room = `import { DurableObject } from "cloudflare:workers";
export class Room extends DurableObject {
  async fetch(request) {
    const path = new URL(request.url).pathname.split("/")[4];
    if (path === "log") {
      console.log("text", 1, { a: [1, "b"] }, null, true); console.debug("d"); console.info("i"); console.warn("w");
      console.error(new RangeError("logged"));
      return new Response("ok", { status: 202 });
    }
    if (path === "throw") {
      throw new TypeError("thrown");
    }
    if (path === "alarm") await this.ctx.storage.setAlarm(Date.now());
    if (path === "peer") await this.env.ROOM.getByName("peer").greet();
    if (path === "socket") {
      const [client, server] = Object.values(new WebSocketPair());
      this.ctx.acceptWebSocket(server);
      return new Response(null, { status: 101, webSocket: client });
    }
    return new Response("quiet");
  }
  greet() { console.log("greeted"); }
  alarm() { console.log("rang"); }
  webSocketMessage(_socket, message) { console.log("got", message); }
}`;

const chatty = `export async function handler(request, ctx) {
  const wanted = new URL(request.url).pathname.slice(1);
  if (wanted === "lines") for (let i = 0; i < 250; i++) ctx.log.info("line " + i);
  if (wanted === "long") console.log("x".repeat(100_000));
  if (wanted === "odd") console.log(Symbol("s"), undefined, 5n, () => 1, "\\ud800\\0");
  if (wanted === "flood") for (let i = 0; i < 100; i++) console.log("y".repeat(4000));
  if (wanted === "levels") { ctx.log.debug("d"); ctx.log.warn("w"); ctx.log.error("e"); }
}`;

let actors: Running;
let functions: Running;
beforeAll(async () => {
  actors = await run(
    actorProgram({ room, quiet: `export class Quiet { fetch() { return new Response("quiet"); } }` }),
  );
  functions = await run(functionProgram({ chatty }));
});
afterAll(stopAll);

const call = (path: string, id: string) =>
  actors.actor(`/_do/room/x/${path}?token=secret`, {
    headers: { "x-request-id": id, authorization: "Bearer t" },
  });

describe("events of actors", () => {
  it("carry lines with their level, the request and the instance", async () => {
    await call("log", "r-log");
    const event = await actors.tailed((each) => each.requestId === "r-log");
    expect(event).toMatchObject({
      unit: "room",
      event: "fetch",
      outcome: "ok",
      method: "GET",
      path: "/_do/room/x/log",
      status: 202,
      actorId: expect.stringMatching(/^[0-9a-f]{64}$/),
      exceptions: [],
    });
    expect(event.lines.map(({ level, message }) => [level, message.split("\n")[0]])).toEqual([
      ["log", 'text 1 {"a":[1,"b"]} null true'],
      ["debug", "d"],
      ["info", "i"],
      ["warn", "w"],
      ["error", "RangeError: logged"],
    ]);
    expect(event.lines[4]!.message).toMatch(/\n\s+at Room\.fetch \(room\.js:7:\d+\)/);
    expect(JSON.stringify(actors.batches)).not.toContain("secret");
  });

  it("carry exceptions with the line in the user's module", async () => {
    await call("throw", "r-throw");
    const event = await actors.tailed((each) => each.requestId === "r-throw");
    expect(event).toMatchObject({
      outcome: "exception",
      exceptions: [{ name: "TypeError", message: "thrown" }],
    });
    expect(event.exceptions[0]!.stack).toMatch(/^\s+at Room\.fetch \(room\.js:11:\d+\)$/);
  });

  it("come from alarms, sockets and RPC as well", async () => {
    await call("alarm", "r-alarm");
    expect((await actors.tailed((each) => each.event === "alarm")).lines[0]!.message).toBe("rang");
    await call("peer", "r-peer");
    expect(await actors.tailed((each) => each.event === "rpc")).toMatchObject({ method: "greet" });
    const socket = new WebSocket(`ws+unix://${actors.socketsDir}/do-1.sock:/_do/room/s/socket`);
    await new Promise((resolve) => socket.once("open", resolve));
    socket.send("hello");
    expect((await actors.tailed((each) => each.event === "websocket")).lines[0]!.message).toBe("got hello");
    socket.terminate();
  });

  it("are not sent for quiet runs, which are counted", async () => {
    const quiet = (id: string) => actors.actor("/_do/quiet/x", { headers: { "x-request-id": id } });
    await Promise.all(Array.from({ length: 25 }, (_, i) => quiet(`r-quiet-${i}`)));
    await actors.inspect("quiet", "x", { op: "alarm" });
    await quiet("r-quiet-last");
    await eventually(() => counted(actors.batches, "quiet") >= 26 || undefined);
    expect(counted(actors.batches, "quiet")).toBe(26);
    const ids = actors.batches.flatMap((batch) => batch.events.map((event) => event.requestId));
    expect(ids.filter((id) => id?.startsWith("r-quiet"))).toEqual([]);
  });
});

describe("bounds", () => {
  const lines = async (path: string) => {
    await functions.function("chatty", `/${path}`, { headers: { "x-request-id": path } });
    return (await functions.tailed((event) => event.requestId === path)).lines;
  };

  it("of lines in one run", async () => {
    const got = await lines("lines");
    expect(got).toHaveLength(101);
    expect(got.at(-1)).toMatchObject({ level: "warn", message: "150 more lines were dropped." });
  });

  it("of one line", async () => {
    const [line] = await lines("long");
    expect(line!.message).toMatch(/^x{4096}… \(\d+ more characters\)$/);
  });

  it("of a batch: what no longer fits is counted and said", async () => {
    await Promise.all(Array.from({ length: 12 }, () => functions.function("chatty", "/flood")));
    const notice = await functions.tailed((event) => event.outcome === "logs_dropped");
    expect(notice.lines[0]).toMatchObject({
      level: "warn",
      message: expect.stringMatching(/^The logs of \d+ more runs/),
    });
    const sizes = functions.batches.map((batch) => JSON.stringify(batch).length);
    expect(Math.max(...sizes)).toBeLessThan(2_000_000);
  });

  it("odd values are shown as well as they can be", async () => {
    const [line] = await lines("odd");
    expect(line!.message).toContain("5");
    expect((await lines("levels")).map(({ level }) => level)).toEqual(["debug", "warn", "error"]);
  });
});

function counted(batches: readonly TailBatch[], unit: string): number {
  const runs = batches.flatMap((batch) => batch.runs);
  return runs.filter((each) => each.unit === unit).reduce((sum, each) => sum + each.count, 0);
}
