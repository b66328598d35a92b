import type { Socket } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { createLog } from "../../../kernel/log.ts";
import { Metrics } from "../../../kernel/metrics.ts";
import type { Upstream } from "../types.ts";
import { createHttpUpstream } from "./index.ts";
import { call, hears, inSession, sent, stateless } from "./testing/listening.ts";
import { event, type RawServer, reply, result, STREAM_HEAD, startRawServer } from "./testing/raw-server.ts";
import { upstreamAt, type Wanted } from "./testing/upstream-at.ts";

let server: RawServer;
const open: Upstream[] = [];
const at = (wanted?: Wanted) => {
  const upstream = upstreamAt(server.port, wanted);
  open.push(upstream);
  return upstream;
};
beforeAll(async () => {
  server = await startRawServer(() => {});
});
afterEach(async () => {
  server.requests.length = 0;
  await Promise.all(open.splice(0).map((upstream) => upstream.close()));
});
afterAll(() => server.stop());

const asking = (id = 1) => inSession(call(id, "t"), { sessionId: "s" });
const ok = (id: unknown = 1) => reply(200, "application/json", JSON.stringify(result(id)));
const rpcError = (code: number, id: unknown = 1) =>
  JSON.stringify({ jsonrpc: "2.0", id, error: { code, message: "no" } });
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe("a server that can't be reached", () => {
  it("has provably done nothing", async () => {
    const upstream = upstreamAt(1);
    const heard = await sent(upstream, asking());
    expect(heard.failures).toEqual([
      { kind: "connect", status: null, ran: "no", message: "127.0.0.1:1 could not be reached." },
    ]);
    expect(upstream.state()).toMatchObject({ reachable: false, problem: expect.stringContaining("reached") });
    await upstream.close();
  });

  it("neither when it does not speak TLS", async () => {
    server.onRequest = (socket: Socket) => socket.write(ok());
    const upstream = createHttpUpstream(
      {
        transport: "http",
        url: `https://localhost:${server.port}/mcp`,
        headers: async () => ({}),
        renew: async () => false,
      },
      { allowPrivate: [`localhost:${server.port}`], log: createLog("silent"), limits: { connectMs: 1_000 } },
    );
    const heard = await sent(upstream, asking());
    expect(heard.failures).toMatchObject([{ kind: "connect", ran: "no" }]);
    expect(server.requests).toEqual([]);
    await upstream.close();
  });

  it("nor when the connection takes too long, or there are no credentials", async () => {
    const never = at({ host: "app.test", resolve: () => new Promise(() => {}), limits: { connectMs: 100 } });
    expect((await sent(never, asking())).failures).toMatchObject([{ kind: "connect", ran: "no" }]);
    const without = at({ headers: () => Promise.reject(new Error("secret reason")) });
    const heard = await sent(without, asking());
    expect(heard.failures).toMatchObject([{ kind: "connect", ran: "no" }]);
    expect(JSON.stringify(heard.failures)).not.toContain("secret");
    expect(server.requests).toEqual([]);
  });
});

describe("a connection that breaks", () => {
  it.each([
    ["before the answer", (socket: Socket) => socket.resetAndDestroy()],
    ["in the head", (socket: Socket) => socket.end("HTTP/1.1 200 O")],
    ["in a JSON body", (socket: Socket) => socket.end(ok().subarray(0, -3))],
    ["in a stream", (socket: Socket) => socket.end(`${STREAM_HEAD}data: {"jsonrpc"`)],
    ["with something that is no HTTP", (socket: Socket) => socket.end("SSH-2.0-OpenSSH\r\n\r\n")],
  ])("%s may have run, and is not tried again", async (_where, breaks) => {
    server.onRequest = breaks;
    const heard = await sent(at(), asking());
    expect(heard.failures).toMatchObject([{ kind: "broken", ran: "maybe" }]);
    expect(heard.messages).toEqual([]);
    expect(server.requests).toHaveLength(1);
  });

  it("that was kept and closed meanwhile is replaced before anything is sent", async () => {
    server.onRequest = (socket) => void socket.write(ok(), () => setTimeout(() => socket.end(), 10));
    const upstream = at();
    const before = server.connections();
    for (let times = 1; times <= 3; times++) {
      expect((await sent(upstream, asking())).ends).toBe(1);
      await pause(50);
    }
    expect(server.connections() - before).toBe(3);
    expect(server.requests).toHaveLength(3);
  });

  it("that was kept and dies when used is not used for the same request twice", async () => {
    server.onRequest = (socket, { index }) => (index === 1 ? socket.resetAndDestroy() : socket.write(ok()));
    const upstream = at();
    expect((await sent(upstream, asking())).ends).toBe(1);
    await pause(10);
    expect((await sent(upstream, asking())).failures).toMatchObject([{ kind: "broken", ran: "maybe" }]);
    expect(server.requests).toHaveLength(2);
    expect((await sent(upstream, asking())).ends).toBe(1);
  });
});

describe("a status that is no success", () => {
  it.each([
    [400, "maybe"],
    [403, "no"],
    [404, "no"],
    [429, "no"],
    [500, "maybe"],
    [502, "maybe"],
    [503, "maybe"],
  ] as const)("%i without a message is a refusal that ran: %s", async (status, ran) => {
    server.onRequest = (socket) => void socket.write(reply(status, "text/html", "<p>no</p>"));
    const heard = await sent(at(), asking());
    expect(heard.failures).toMatchObject([{ kind: "refused", status, ran }]);
    expect([heard.heads, heard.messages]).toEqual([[], []]);
  });

  it.each([
    [404, rpcError(-32601)],
    [404, rpcError(-32001, null)],
    [400, rpcError(-32020)],
    [400, rpcError(-32022)],
    [429, rpcError(-32000)],
    [500, rpcError(-32603)],
  ])("%i with a JSON-RPC error is handed on", async (status, text) => {
    server.onRequest = (socket) => void socket.write(reply(status, "application/json", text));
    const heard = await sent(at(), asking());
    expect(heard.heads).toEqual([{ status, sessionId: null, streaming: false }]);
    expect(heard.messages).toMatchObject([{ text }]);
    expect([heard.ends, heard.failures]).toEqual([1, []]);
  });

  it.each([
    JSON.stringify(result(1)),
    '{"error":"not found"}',
    '{"jsonrpc":"2.0","method":"x","error":{"code":1}}',
    "[]",
    "x".repeat(100_000),
  ])("never comes with anything else: %s", async (body) => {
    server.onRequest = (socket) => void socket.write(reply(404, "application/json", body));
    const heard = await sent(at(), asking());
    expect(heard.failures).toMatchObject([{ kind: "refused", status: 404, ran: "no" }]);
  });

  it("is not followed anywhere when it redirects", async () => {
    server.onRequest = (socket) =>
      void socket.write(reply(307, "", "", `location: http://127.0.0.1:${server.port}/elsewhere\r\n`));
    const heard = await sent(at(), asking());
    expect(heard.failures).toMatchObject([{ kind: "body", status: 307, ran: "maybe" }]);
    expect(server.requests).toHaveLength(1);
  });
});

describe("401", () => {
  const guarded = (socket: Socket, authorization: string | undefined, body = "") =>
    socket.write(authorization === "Bearer new" ? ok() : reply(401, "application/json", body));

  it("renews the credentials once for all who wait, and asks again", async () => {
    let token = "old";
    let renewals = 0;
    server.onRequest = (socket, { headers }) => guarded(socket, headers.authorization, rpcError(-32000));
    const upstream = at({
      headers: async () => ({ authorization: `Bearer ${token}` }),
      async renew() {
        renewals += 1;
        await pause(30);
        token = "new";
        return true;
      },
    });
    const heard = await Promise.all([1, 2, 3].map(() => sent(upstream, asking())));
    expect(heard.map(({ ends }) => ends)).toEqual([1, 1, 1]);
    expect(renewals).toBe(1);
    expect(server.requests).toHaveLength(6);
    expect(new Set(server.requests.map(({ body }) => body)).size).toBe(1);
  });

  it.each([
    ["nothing can be renewed", async () => false, 1],
    ["renewing fails", () => Promise.reject(new Error("no")), 1],
    ["the new ones are refused too", async () => true, 2],
  ])("is a refusal when %s", async (_why, renew, requests) => {
    server.onRequest = (socket) => guarded(socket, undefined, rpcError(-32000));
    const heard = await sent(at({ renew }), asking());
    expect(heard.failures).toMatchObject([{ kind: "refused", status: 401, ran: "no" }]);
    expect(heard.messages).toEqual([]);
    expect(server.requests).toHaveLength(requests);
  });
});

describe("time", () => {
  it("is up after silence before and in an answer", async () => {
    const limits = { idleMs: 150 };
    server.onRequest = () => {};
    expect((await sent(at({ limits }), asking())).failures).toMatchObject([
      { kind: "timeout", ran: "maybe" },
    ]);
    server.onRequest = (socket) => void socket.write(STREAM_HEAD + event({ method: "n" }));
    const heard = await sent(at({ limits }), asking());
    expect(heard.failures).toMatchObject([{ kind: "timeout", status: 200, ran: "maybe" }]);
    expect(heard.messages).toHaveLength(1);
    expect(server.requests).toHaveLength(2);
  });

  it("goes on while there are comments, but not for ever", async () => {
    server.onRequest = async (socket) => {
      socket.write(STREAM_HEAD);
      for (let times = 0; times < 12 && !socket.destroyed; times++) {
        await pause(50);
        socket.write(": alive\n\n");
      }
      if (!socket.destroyed) socket.end(event(result(1)));
    };
    expect((await sent(at({ limits: { idleMs: 300 } }), asking())).ends).toBe(1);
    const heard = await sent(at({ limits: { idleMs: 300, totalMs: 200 } }), asking());
    expect(heard.failures).toMatchObject([{ kind: "timeout", ran: "maybe" }]);
  });

  it("does not hold a connection whose stream the server never ends", async () => {
    const closed = Promise.withResolvers<void>();
    server.onRequest = (socket) => {
      socket.once("close", () => closed.resolve());
      socket.write(STREAM_HEAD + event(result(1)));
    };
    expect((await sent(at({ limits: { drainMs: 50 } }), asking())).ends).toBe(1);
    await closed.promise;
  });
});

describe("cancelling", () => {
  it("closes the stream in the stateless era, and says nothing", async () => {
    const closed = Promise.withResolvers<void>();
    server.onRequest = (socket, { headers }) => {
      if (headers["mcp-method"] === "server/discover") {
        const found = result("era", { supportedVersions: ["2026-07-28"] });
        return socket.write(reply(200, "application/json", JSON.stringify(found)));
      }
      socket.once("close", () => closed.resolve());
      return socket.write(STREAM_HEAD + event({ method: "n" }));
    };
    const stop = new AbortController();
    const heard = hears(() => stop.abort());
    await sent(at(), { ...stateless(9, "tools/call", { name: "t" }), signal: stop.signal }, heard);
    expect(heard.failures).toMatchObject([{ kind: "broken", ran: "maybe" }]);
    await closed.promise;
    await pause(50);
    expect(server.requests).toHaveLength(2);
  });

  it("is told to a server with sessions, in the session", async () => {
    server.onRequest = (socket, { body }) =>
      socket.write(body.includes("cancelled") ? reply(202, "", "") : STREAM_HEAD + event({ method: "n" }));
    const stop = new AbortController();
    const heard = hears(() => stop.abort());
    await sent(at(), { ...asking(77), signal: stop.signal }, heard);
    await expect.poll(() => server.requests.length).toBe(2);
    expect(server.requests[1]!.headers["mcp-session-id"]).toBe("s");
    expect(JSON.parse(server.requests[1]!.body)).toMatchObject({
      method: "notifications/cancelled",
      params: { requestId: 77 },
    });
  });

  it("before it began sends nothing at all", async () => {
    const heard = await sent(at(), { ...asking(), signal: AbortSignal.abort() });
    expect(heard.failures).toMatchObject([{ kind: "broken", ran: "no" }]);
    const stop = new AbortController();
    const waiting = sent(at({ headers: () => pause(50).then(() => ({})) }), {
      ...asking(),
      signal: stop.signal,
    });
    stop.abort();
    expect((await waiting).failures).toMatchObject([{ kind: "broken", ran: "no" }]);
    await pause(80);
    expect(server.requests).toEqual([]);
  });
});

describe("ending", () => {
  it("fails what is under way at once", async () => {
    server.onRequest = () => {};
    const upstream = at();
    const waiting = sent(upstream, asking());
    await expect.poll(() => server.requests.length).toBe(1);
    const began = performance.now();
    await upstream.close();
    expect((await waiting).failures).toMatchObject([{ ran: "maybe" }]);
    expect(performance.now() - began).toBeLessThan(500);
    expect((await sent(upstream, asking())).failures).toMatchObject([{ ran: "no" }]);
  });

  it("lets no more be under way than the limit, and counts who is turned away", async () => {
    server.onRequest = () => {};
    const metrics = new Metrics();
    const upstream = at({ limits: { exchanges: 2 }, metrics });
    const first = [sent(upstream, asking()), sent(upstream, asking())];
    expect((await sent(upstream, asking())).failures).toMatchObject([
      { kind: "refused", status: null, ran: "no" },
    ]);
    const hit = await metrics.limitsHit.get();
    expect(hit.values).toMatchObject([{ labels: { limit: "upstream_exchanges" }, value: 1 }]);
    await upstream.close();
    await Promise.all(first);
  });
});
