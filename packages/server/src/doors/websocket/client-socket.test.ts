import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it, vi } from "vitest";
import { WebSocketServer } from "ws";
import { frame } from "../../features/realtime/frames.ts";
import { createLog } from "../../kernel/log.ts";
import { ANONYMOUS } from "../../kernel/principal.ts";
import { Backlog } from "./backlog.ts";
import { ClientSocket } from "./client-socket.ts";
import { Clients } from "./clients.ts";
import { limits } from "./limits.ts";
import { RealtimeWebSocket } from "./realtime-web-socket.ts";
import { TestClient } from "./testing/client.ts";

const MB = 1024 * 1024;
const cleanUps: (() => void)[] = [];
afterEach(() => {
  for (const cleanUp of cleanUps.splice(0)) cleanUp();
});

/** A server whose connections are ClientSockets, and a way to connect to it. */
async function stage(queuedBytesAll: number) {
  const hit: string[] = [];
  const backlog = new Backlog<ClientSocket>(queuedBytesAll);
  const sockets = new WebSocketServer<typeof RealtimeWebSocket>({
    noServer: true,
    WebSocket: RealtimeWebSocket,
    perMessageDeflate: false,
  });
  const server: Server = createServer();
  const made: ((both: { socket: ClientSocket; ws: RealtimeWebSocket }) => void)[] = [];
  server.on("upgrade", (request: IncomingMessage, raw, head) =>
    sockets.handleUpgrade(request, raw, head, (ws) => {
      const credential = { authorization: undefined, ip: "127.0.0.1", principal: ANONYMOUS };
      const socket = new ClientSocket(ws, raw, "app_a", credential, {
        clock: Date.now,
        backlog,
        authenticate: () => Promise.reject(new Error("nobody asks")),
        onClosed() {},
        onLimit: (limit) => hit.push(limit),
      });
      made.shift()!({ socket, ws });
    }),
  );
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  cleanUps.push(() => server.close());
  const connect = async () => {
    const both = new Promise<{ socket: ClientSocket; ws: RealtimeWebSocket }>((resolve) =>
      made.push(resolve),
    );
    const client = new TestClient(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
    cleanUps.push(() => client.ws.terminate());
    await client.opened();
    return { client, ...(await both) };
  };
  return { connect, backlog, hit };
}

const large = (n: number) => frame({ type: "large", n, body: "x".repeat(MB) });

describe("a client's socket", () => {
  it("keeps frames whole and in order among the library's pings, whatever the client has read", async () => {
    const { connect } = await stage(64 * MB);
    const { client, socket, ws } = await connect();
    let pings = 0;
    client.ws.on("ping", () => (pings += 1));
    let sent = 0;
    const send = (count: number) =>
      socket.send(
        Array.from({ length: count }, () => frame({ type: "n", n: sent++, body: "é".repeat(sent % 500) })),
      );
    for (let round = 0; round < 200; round += 1) {
      if (round === 50) client.ws.pause();
      if (round === 150) client.ws.resume();
      send(1 + (round % 40));
      ws.ping();
      if (round % 10 === 0) await sleep(1);
    }
    await client.frame(({ n }) => n === sent - 1);
    expect(client.frames.map(({ n }) => n)).toEqual(Array.from({ length: sent }, (_, n) => n));
    expect(pings).toBe(200);
  });

  it("is cut off with a reason when its client reads nothing, and what waits stays bounded", async () => {
    const { connect, hit } = await stage(1_000 * MB);
    const { client, socket } = await connect();
    client.ws.pause();
    let most = 0;
    for (let n = 0; n < 60; n += 1) {
      socket.send([large(n)]);
      most = Math.max(most, socket.queuedBytes);
      await sleep(0);
    }
    expect(hit).toEqual(["realtime_queued_bytes"]);
    expect(most).toBeGreaterThan(limits.queuedBytes);
    expect(most).toBeLessThan(limits.queuedBytes + 2 * MB);
    client.ws.resume();
    expect(await client.closed).toEqual({ code: 1013, reason: "Too slow" });
    expect(client.frames.at(-1)).toEqual({ type: "resync", reason: "too_slow" });
    const shown = client.frames.filter(({ type }) => type === "large").map(({ n }) => n);
    expect(shown).toEqual(Array.from({ length: shown.length }, (_, n) => n));
  });

  it("is gone in the end also when its client never reads again", async () => {
    const { connect, backlog } = await stage(1_000 * MB);
    const { client, socket } = await connect();
    client.ws.pause();
    for (let n = 0; n < 60; n += 1) socket.send([large(n)]);
    expect(backlog.bytes).toBeGreaterThan(limits.queuedBytes);
    await expect.poll(() => backlog.bytes, { timeout: limits.closeMs + 2_000 }).toBe(0);
    expect(socket.queuedBytes).toBe(0);
  });

  it("goes first when all together have too much waiting; whoever reads gets everything, and is never held up", async () => {
    const most = 12 * MB;
    const { connect, backlog, hit } = await stage(most);
    const slow = [await connect(), await connect(), await connect(), await connect()];
    const quick = await connect();
    for (const { client } of slow) client.ws.pause();
    // The later a client came, the less it is sent: the first is the slowest.
    for (let n = 0; n < 60; n += 1) {
      for (const [at, { socket }] of slow.entries()) if (n >= at * 3) socket.send([large(n)]);
      quick.socket.send([frame({ type: "small", n })]);
      expect(backlog.bytes).toBeLessThanOrEqual(2 * most + 4 * MB);
      await sleep(1);
      if (hit.length > 0) break;
    }
    expect(new Set(hit)).toEqual(new Set(["realtime_queued_bytes_all"]));
    expect(slow[0]!.socket.ended).toBe(true);
    expect(slow[3]!.socket.ended).toBe(false);
    expect(quick.socket.ended).toBe(false);
    quick.socket.send([frame({ type: "last" })]);
    await quick.client.ofType("last");
    slow[0]!.client.ws.resume();
    expect(await slow[0]!.client.closed).toEqual({ code: 1013, reason: "Too slow" });
    expect(slow[0]!.client.frames.at(-1)).toEqual({ type: "resync", reason: "too_slow" });
  });

  it("gets its heartbeat and its ping in one writing, and is ended when it answers none", async () => {
    const { connect } = await stage(MB);
    const { client, socket } = await connect();
    const bytes = Buffer.concat([frame({ type: "heartbeat" }), Buffer.from([0x89, 0])]);
    const pinged = once(client.ws, "ping");
    socket.heartbeat(bytes);
    await pinged;
    await client.ofType("heartbeat");
    await sleep(50);
    client.ws.pause();
    socket.heartbeat(bytes);
    expect(socket.ended).toBe(false);
    socket.heartbeat(bytes);
    expect(socket.ended).toBe(true);
  });
});

describe("the clients of a node", () => {
  it("each hear within one period how far everything was sent, and those who answer stay", async () => {
    const { connect } = await stage(MB);
    const connected = [await connect(), await connect(), await connect()];
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "performance"] });
    cleanUps.push(() => vi.useRealTimers());
    let sentTo = 1;
    const clients = new Clients({
      findApp: () => Promise.reject(new Error("the database is away")),
      resolvePrincipal: () => Promise.reject(new Error("the database is away")),
      clock: () => 1_000,
      log: createLog("silent"),
      positionOf: (appId) => `${appId} ${sentTo}`,
    });
    for (const { socket } of connected) clients.add(socket);
    for (const period of [1, 2, 3]) {
      sentTo = period;
      vi.advanceTimersByTime(limits.heartbeatMs);
      for (const { client } of connected)
        await client.frame(({ seq }) => seq === `app_a ${period}`, `heartbeat ${period}`);
      await sleep(30);
    }
    for (const { client, socket } of connected) {
      expect(socket.ended).toBe(false);
      expect(client.frames).toHaveLength(3);
      expect(client.frames[0]).toEqual({
        type: "heartbeat",
        timestamp: "1970-01-01T00:00:01.000Z",
        seq: "app_a 1",
      });
    }
    vi.useRealTimers();
    await clients.close();
  });
});
