import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Upstream } from "../types.ts";
import { call, hears, initialized, inSession, NEVER, sent, stateless } from "./testing/listening.ts";
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
  await Promise.all(open.splice(0).map((upstream) => upstream.close()));
  server.requests.length = 0;
});
afterAll(() => server.stop());

const asking = (id = 1) =>
  inSession(call(id, "t"), { sessionId: "s", headers: { "mcp-protocol-version": "2025-11-25" } });
const json = (message: unknown, more = "") => reply(200, "application/json", JSON.stringify(message), more);
const texts = (heard: { messages: { text: string }[] }) => heard.messages.map(({ text }) => JSON.parse(text));

describe("a stream that ends before the answer", () => {
  it.each(["closed", "reset"])("is taken up again where it was (%s)", async (how) => {
    server.onRequest = (socket, { method, headers }) => {
      if (method === "POST") {
        const first = `${STREAM_HEAD}id: 1\nretry: 10\ndata:\n\n${event({ method: "n" }, "2-ü")}`;
        return socket.write(first, () =>
          setTimeout(() => (how === "reset" ? socket.resetAndDestroy() : socket.end()), 20),
        );
      }
      expect(Buffer.from(headers["last-event-id"]!, "latin1").toString("utf8")).toBe("2-ü");
      return socket.end(STREAM_HEAD + event(result(1), "3"));
    };
    const heard = await sent(at(), asking());
    expect(texts(heard)).toEqual([{ method: "n" }, result(1)]);
    expect([heard.heads.length, heard.ends, heard.failures]).toEqual([1, 1, []]);
    expect(server.requests.map(({ method }) => method)).toEqual(["POST", "GET"]);
    expect(server.requests[1]!.headers).toMatchObject({
      "mcp-session-id": "s",
      "mcp-protocol-version": "2025-11-25",
      accept: "text/event-stream",
    });
  });

  it("fails when the server takes up nothing, or takes it up in vain again and again", async () => {
    server.onRequest = (socket, { method }) =>
      method === "POST"
        ? socket.end(STREAM_HEAD + event({ method: "n" }, "1"))
        : socket.write(reply(405, "", ""));
    const refused = await sent(at(), asking());
    expect(refused.failures).toMatchObject([{ kind: "broken", ran: "maybe" }]);
    expect(server.requests).toHaveLength(2);
    server.requests.length = 0;
    server.onRequest = (socket, { method }) =>
      socket.end(method === "POST" ? STREAM_HEAD + event({ method: "n" }, "1") : STREAM_HEAD);
    const endless = await sent(at({ limits: { resumes: 3 } }), asking());
    expect(endless.failures).toMatchObject([{ kind: "broken", ran: "maybe" }]);
    expect(server.requests).toHaveLength(4);
  });

  it("is not taken up in the stateless era, nor when nobody waits any more", async () => {
    server.onRequest = (socket, { headers }) =>
      headers["mcp-method"] === "server/discover"
        ? socket.write(json(result("era", { supportedVersions: ["2026-07-28"] })))
        : socket.end(STREAM_HEAD + event({ method: "n" }, "1"));
    const heard = await sent(at(), stateless(1, "tools/list"));
    expect(heard.failures).toMatchObject([{ kind: "broken", ran: "maybe" }]);
    const stop = new AbortController();
    const slow = at({ limits: { resumeMs: 100 } });
    const waiting = hears(() => void setTimeout(() => stop.abort(), 30));
    await sent(slow, { ...asking(), signal: stop.signal }, waiting);
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(server.requests.filter(({ method }) => method === "GET")).toEqual([]);
  });
});

describe("listening and ending", () => {
  it("resumes from an event, and hands on a refusal", async () => {
    server.onRequest = (socket) => socket.end(STREAM_HEAD + event({ method: "n" }, "8"));
    const upstream = at();
    const heard = hears();
    upstream.listen({ sessionId: "s", headers: {}, lastEventId: "7", signal: NEVER }, heard);
    await heard.done;
    expect(heard.messages).toMatchObject([{ text: '{"method":"n"}', eventId: "8" }]);
    expect(heard.ends).toBe(1);
    expect(server.requests[0]).toMatchObject({ method: "GET", headers: { "last-event-id": "7" } });
    for (const refusal of [reply(405, "", ""), json(result(1))]) {
      server.onRequest = (socket) => socket.write(refusal);
      const refused = hears();
      upstream.listen({ sessionId: "s", headers: {}, lastEventId: null, signal: NEVER }, refused);
      await refused.done;
      expect(refused.failures).toHaveLength(1);
      expect(refused.messages).toEqual([]);
    }
  });

  it("ends a session with DELETE, and waits no longer than it may", async () => {
    server.onRequest = (socket) => socket.write(reply(200, "text/html", "bye"));
    await at().endSession("s-9");
    expect(server.requests).toMatchObject([{ method: "DELETE", headers: { "mcp-session-id": "s-9" } }]);
    server.onRequest = () => {};
    const began = performance.now();
    await at({ limits: { endSessionMs: 100 } }).endSession("s");
    expect(performance.now() - began).toBeLessThan(1_000);
    await upstreamAt(1).endSession("s");
  });
});

describe("changes of the tools", () => {
  it("are heard of on any stream, and told once", async () => {
    const changed = event({ jsonrpc: "2.0", method: "notifications/tools/list_changed" });
    server.onRequest = (socket) => socket.end(STREAM_HEAD + changed + changed + event(result(1)));
    const upstream = at();
    let told = 0;
    upstream.onToolsChanged(() => {
      told += 1;
    });
    const heard = await sent(upstream, asking());
    expect(heard.messages).toHaveLength(3);
    await expect.poll(() => told).toBe(1);
  });
});

describe("which era a server speaks", () => {
  /** A server with sessions that answers `server/discover` in its own way. */
  const withSessions = (discover: (id: unknown) => Buffer) => {
    server.onRequest = (socket, { body, method }) => {
      if (method !== "POST") return socket.write(reply(405, "", ""));
      const message = JSON.parse(body);
      if (message.method === "server/discover") return socket.write(discover(message.id));
      if (message.method === "initialize") {
        const introduction = { protocolVersion: "2025-06-18", capabilities: { tools: {} }, serverInfo: {} };
        return socket.write(json(result(message.id, introduction), "mcp-session-id: own\r\n"));
      }
      return socket.write(
        message.id === undefined ? reply(202, "", "") : json(result(message.id, { tools: [] })),
      );
    };
  };

  it.each([
    [
      "an unknown method",
      (id: unknown) => json({ jsonrpc: "2.0", id, error: { code: -32601, message: "" } }),
    ],
    [
      "400",
      () =>
        reply(400, "application/json", '{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":""}}'),
    ],
    ["a page", () => reply(200, "text/html", "<p>")],
    ["404", () => reply(404, "", "")],
    ["500", () => reply(500, "text/plain", "crashed")],
    ["other versions", (id: unknown) => json(result(id, { supportedVersions: ["2031-01-01"] }))],
  ])("is the older one when %s is the answer to the question", async (_what, discover) => {
    withSessions(discover);
    const upstream = at();
    expect(await upstream.ask("tools/list", {}, NEVER)).toMatchObject({ tools: [] });
    expect(await upstream.ask("tools/list", {}, NEVER)).toMatchObject({ tools: [] });
    const methods = server.requests
      .filter(({ method }) => method === "POST")
      .map(({ body }) => JSON.parse(body).method);
    expect(methods.filter((method) => method === "server/discover")).toHaveLength(1);
    expect(methods.filter((method) => method === "initialize")).toHaveLength(1);
  });

  it.each([401, 403, 429])("is not decided by %i, which proves that nothing ran", async (status) => {
    server.onRequest = (socket) => socket.write(reply(status, "", ""));
    const upstream = at();
    const heard = await sent(upstream, stateless(1, "tools/list"));
    expect(heard.failures).toMatchObject([{ kind: "refused", status, ran: "no" }]);
    await expect(upstream.ask("tools/list", {}, NEVER)).rejects.toMatchObject({ failure: { status } });
    expect(server.requests).toHaveLength(2);
  });

  it("is asked again after a while, and when a version is refused", async () => {
    const discovers = () => server.requests.filter(({ body }) => body.includes("server/discover")).length;
    let refuses = false;
    server.onRequest = (socket, { body }) => {
      const { id, method } = JSON.parse(body);
      if (method === "server/discover")
        return socket.write(json(result(id, { supportedVersions: ["2026-07-28"] })));
      const error = JSON.stringify({ jsonrpc: "2.0", id, error: { code: -32022, message: "version" } });
      return socket.write(refuses ? reply(400, "application/json", error) : json(result(id)));
    };
    const upstream = at({ limits: { eraMs: 100 } });
    await sent(upstream, stateless(1, "tools/list"));
    await sent(upstream, stateless(2, "tools/list"));
    expect(discovers()).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 150));
    await sent(upstream, stateless(3, "tools/list"));
    await expect.poll(discovers).toBe(2);
    refuses = true;
    const heard = await sent(upstream, stateless(4, "tools/list"));
    expect(heard.heads).toMatchObject([{ status: 400 }]);
    await sent(upstream, stateless(5, "tools/list"));
    expect(discovers()).toBe(3);
  });

  it("does not keep who is gone waiting for the question", async () => {
    server.onRequest = () => {};
    const heard = await sent(at(), { ...stateless(1, "tools/list"), signal: AbortSignal.timeout(50) });
    expect(heard.failures).toMatchObject([{ ran: "no" }]);
  });
});

describe("the older transport", () => {
  /** Serves it at /sse; `endpoint` is what its first event says. */
  const older = (
    endpoint: (port: number) => string,
    posts: (id: unknown) => Buffer = () => reply(202, "", "Accepted"),
  ) => {
    server.onRequest = (socket, { method, path, body }) => {
      if (method === "GET") {
        streams.push((message) => void socket.write(event(message)));
        socket.write(`${STREAM_HEAD}event: endpoint\ndata: ${endpoint(server.port)}\n\n`);
        return;
      }
      if (path === "/sse") return socket.write(reply(405, "text/plain", "Method Not Allowed"));
      const { id } = JSON.parse(body);
      socket.write(posts(id));
      if (id !== undefined)
        streams.at(-1)!(result(id, { path, protocolVersion: "2024-11-05", capabilities: {} }));
    };
  };
  const streams: ((message: unknown) => void)[] = [];
  const initialize = inSession({ jsonrpc: "2.0", id: 0, method: "initialize", params: {} });

  it.each([
    ["a path", () => "/message?session=1", "/message?session=1"],
    ["a relative path", () => "message?s=2", "/message?s=2"],
    ["a whole URL", (port: number) => `http://127.0.0.1:${port}/m`, "/m"],
  ])("posts to what its first event names: %s", async (_what, endpoint, path) => {
    older(endpoint);
    const upstream = at({ path: "/sse" });
    const sessionId = await initialized(upstream);
    const heard = await sent(upstream, inSession(call(5, "t"), { sessionId }));
    expect(texts(heard)).toMatchObject([{ id: 5, result: { path } }]);
    // Remembered: the next session does not try the newer transport first.
    const before = server.requests.length;
    await initialized(upstream);
    expect(server.requests[before]).toMatchObject({ method: "GET", path: "/sse" });
  });

  it.each([
    ["another host", () => "http://localhost.test/m"],
    ["another port", (port: number) => `http://127.0.0.1:${port + 1}/m`],
    ["another scheme", (port: number) => `https://127.0.0.1:${port}/m`],
    ["someone's name", (port: number) => `http://me:pw@127.0.0.1:${port}/m`],
    ["the metadata of a cloud", () => "//169.254.169.254/latest"],
  ])("never posts to %s", async (_what, endpoint) => {
    older(endpoint);
    const heard = await sent(at({ path: "/sse" }), initialize);
    expect(heard.failures).toMatchObject([{ kind: "refused", status: 405 }]);
    expect(server.requests.filter(({ method, path }) => method === "POST" && path !== "/sse")).toEqual([]);
  });

  it("is not tried for a server that says in JSON-RPC what is wrong", async () => {
    server.onRequest = (socket, { body }) => {
      const error = { jsonrpc: "2.0", id: JSON.parse(body).id, error: { code: -32601, message: "" } };
      socket.write(reply(404, "application/json", JSON.stringify(error)));
    };
    const heard = await sent(at(), initialize);
    expect(heard.heads).toMatchObject([{ status: 404 }]);
    expect(JSON.parse(heard.messages[0]!.text)).toMatchObject({ id: 0, error: { code: -32601 } });
    // It is asked whether it only speaks the newer era, and says no.
    expect(server.requests.map(({ method, body }) => [method, JSON.parse(body).method])).toEqual([
      ["POST", "initialize"],
      ["POST", "server/discover"],
    ]);
  });

  it("tells the first refusal when it is not that either", async () => {
    server.onRequest = (socket, { method }) => socket.write(reply(method === "GET" ? 500 : 404, "", ""));
    const heard = await sent(at(), initialize);
    expect(heard.failures).toMatchObject([{ kind: "refused", status: 404, ran: "no" }]);
    expect(server.requests.map(({ method }) => method)).toEqual(["POST", "GET"]);
  });

  it("gives a refused message back as not run, and ends with what may have been taken", async () => {
    let status = 202;
    older(
      () => "/m",
      () => reply(status, "", ""),
    );
    const upstream = at({ path: "/sse" });
    const sessionId = await initialized(upstream);
    status = 429;
    const quick = streams.splice(0);
    streams.push(() => {});
    const refused = await sent(upstream, inSession(call(1, "t"), { sessionId }));
    expect(refused.failures).toMatchObject([{ kind: "refused", status: 429, ran: "no" }]);
    status = 500;
    const lost = await sent(upstream, inSession(call(2, "t"), { sessionId }));
    expect(lost.failures).toMatchObject([{ ran: "maybe" }]);
    streams.splice(0, streams.length, ...quick);
  });
});
