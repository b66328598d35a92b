import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { toNodeHandler } from "@modelcontextprotocol/node";
import { createMcpHandler, McpServer } from "@modelcontextprotocol/server";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { createLog } from "../../../kernel/log.ts";
import type { Message, Upstream } from "../types.ts";
import { createHttpUpstream } from "./index.ts";
import { type RunningServer, startEverything } from "./testing/everything.ts";
import { call, hears, initialized, inSession, NEVER, sent, stateless } from "./testing/listening.ts";

const log = createLog("silent");
const upstreams: Upstream[] = [];

function upstreamAt(port: number, path: string): Upstream {
  const upstream = createHttpUpstream(
    {
      transport: "http",
      url: `http://127.0.0.1:${port}${path}`,
      headers: async () => ({}),
      renew: async () => false,
    },
    { allowPrivate: [`127.0.0.1:${port}`], log },
  );
  upstreams.push(upstream);
  return upstream;
}

afterAll(() => Promise.all(upstreams.map((upstream) => upstream.close())));

const toolNames = (result: unknown) =>
  (result as { tools: { name: string }[] }).tools.map(({ name }) => name);

/** What every way to the reference server has to do, in both eras. */
function servesBothEras(at: () => Upstream): void {
  it("serves a client with a session", async () => {
    const upstream = at();
    const sessionId = await initialized(upstream);
    const listed = await sent(
      upstream,
      inSession({ jsonrpc: "2.0", id: 1, method: "tools/list" }, { sessionId }),
    );
    expect(toolNames(JSON.parse(listed.messages.at(-1)!.text).result)).toContain("echo");
    const echoed = await sent(upstream, inSession(call(2, "echo", { message: "höre" }), { sessionId }));
    expect(echoed.ends).toBe(1);
    expect(echoed.failures).toEqual([]);
    const answer = JSON.parse(echoed.messages.at(-1)!.text);
    expect(answer).toMatchObject({ id: 2, result: { content: [{ text: "Echo: höre" }] } });
    await upstream.endSession(sessionId);
    const late = await sent(upstream, inSession(call(3, "echo", { message: "x" }), { sessionId }));
    expect(late.heads[0]?.status ?? late.failures[0]?.status).toBeGreaterThanOrEqual(400);
  });

  it("keeps sessions apart, and hands progress to who asked", async () => {
    const upstream = at();
    const [first, second] = await Promise.all([initialized(upstream), initialized(upstream)]);
    expect(first).not.toBe(second);
    const long = call(7, "trigger-long-running-operation", { duration: 0.5, steps: 3 });
    (long.params as Record<string, unknown>)._meta = { progressToken: "mine" };
    const [heard, other] = await Promise.all([
      sent(upstream, inSession(long, { sessionId: first! })),
      sent(upstream, inSession(call(7, "get-sum", { a: 2, b: 3 }), { sessionId: second! })),
    ]);
    const progress = heard.messages
      .map(({ text }) => JSON.parse(text))
      .filter(({ method }) => method === "notifications/progress");
    expect(progress.length).toBeGreaterThanOrEqual(2);
    expect(progress.every(({ params }) => params.progressToken === "mine")).toBe(true);
    expect(JSON.parse(heard.messages.at(-1)!.text)).toMatchObject({ id: 7 });
    expect(other.messages.map(({ text }) => JSON.parse(text).id)).toContain(7);
    await Promise.all([upstream.endSession(first!), upstream.endSession(second!)]);
  });

  it("serves a stateless client", async () => {
    const heard = await sent(
      at(),
      stateless(4, "tools/call", { name: "get-sum", arguments: { a: 4, b: 5 } }),
    );
    const answer = JSON.parse(heard.messages.at(-1)!.text);
    expect(answer).toMatchObject({ id: 4, result: { resultType: "complete" } });
    expect(JSON.stringify(answer)).toContain("9");
    expect(heard.ends).toBe(1);
  });

  it("answers questions of Ambit's own", async () => {
    const upstream = at();
    expect(toolNames(await upstream.ask("tools/list", {}, NEVER))).toContain("echo");
    expect(upstream.state()).toMatchObject({ reachable: true, problem: null });
    await expect(upstream.ask("no/such", {}, NEVER)).rejects.toMatchObject({
      failure: { kind: "refused", ran: "no" },
    });
  });
}

describe("server-everything over Streamable HTTP", () => {
  let server: RunningServer;
  let upstream: Upstream;
  beforeAll(async () => {
    server = await startEverything("streamableHttp");
    upstream = upstreamAt(server.port, "/mcp");
  });
  afterAll(() => server.stop());
  servesBothEras(() => upstream);

  it("hands on what the server says by itself", async () => {
    const sessionId = await initialized(upstream);
    const stop = new AbortController();
    const listening = hears();
    upstream.listen({ sessionId, headers: {}, lastEventId: null, signal: stop.signal }, listening);
    await expect.poll(() => listening.heads.length).toBe(1);
    expect(listening.heads[0]).toMatchObject({ status: 200, streaming: true });
    await sent(upstream, inSession(call(5, "toggle-simulated-logging"), { sessionId }));
    await expect.poll(() => listening.messages.length, { timeout: 15_000 }).toBeGreaterThan(0);
    stop.abort();
    await listening.done;
    expect(listening.failures).toMatchObject([{ kind: "broken" }]);
    await upstream.endSession(sessionId);
  });

  it("is told when nobody waits any more", async () => {
    const sessionId = await initialized(upstream);
    const stop = new AbortController();
    const long = call(6, "trigger-long-running-operation", { duration: 20, steps: 40 });
    (long.params as Record<string, unknown>)._meta = { progressToken: 1 };
    const heard = hears((message) => {
      if (message.text.includes("notifications/progress")) stop.abort();
    });
    await sent(upstream, inSession(long, { sessionId, signal: stop.signal }), heard);
    expect(heard.failures).toMatchObject([{ kind: "broken", ran: "maybe" }]);
    await upstream.endSession(sessionId);
  });
});

describe("server-everything over HTTP+SSE", () => {
  let server: RunningServer;
  let upstream: Upstream;
  beforeAll(async () => {
    server = await startEverything("sse");
    upstream = upstreamAt(server.port, "/sse");
  });
  afterAll(() => server.stop());
  servesBothEras(() => upstream);

  it("has names for its sessions that every node knows as such", async () => {
    const sessionId = await initialized(upstream);
    const elsewhere = upstreamAt(server.port, "/sse");
    const lost = await sent(elsewhere, inSession(call(1, "echo", { message: "x" }), { sessionId }));
    expect(lost.heads[0]).toMatchObject({ status: 404 });
    await upstream.endSession(sessionId);
  });
});

describe("a server of the stateless era", () => {
  let http: Server;
  let upstream: Upstream;
  let toolsChanged = () => {};
  const seen: { headers: Record<string, unknown> }[] = [];

  beforeAll(async () => {
    const handler = createMcpHandler(
      () => {
        const server = new McpServer(
          { name: "stateless", version: "1" },
          { capabilities: { tools: { listChanged: true } } },
        );
        server.registerTool(
          "length",
          { description: "Says how long a text is", inputSchema: z.object({ text: z.string() }) },
          async ({ text }) => ({ content: [{ type: "text", text: String(text.length) }] }),
        );
        server.registerPrompt("größe", { description: "Asks for the size" }, () => ({
          messages: [{ role: "user", content: { type: "text", text: "Wie groß?" } }],
        }));
        return server;
      },
      { legacy: "reject", keepAliveMs: 1_000 },
    );
    toolsChanged = () => handler.notify.toolsChanged();
    const serve = toNodeHandler(handler);
    http = createServer((request, response) => {
      seen.push({ headers: request.headers });
      void serve(request, response);
    });
    await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
    upstream = upstreamAt((http.address() as AddressInfo).port, "/mcp");
  });
  afterAll(async () => {
    await upstream.close();
    http.closeAllConnections();
    await new Promise<void>((resolve) => void http.close(() => resolve()));
  });

  it("is asked once which era it speaks, and then only what clients ask", async () => {
    const params: Message = { name: "length", arguments: { text: "vier" } };
    const heard = await sent(upstream, stateless(1, "tools/call", params));
    expect(JSON.parse(heard.messages.at(-1)!.text)).toMatchObject({
      id: 1,
      result: { content: [{ text: "4" }] },
    });
    expect(seen).toHaveLength(2);
    expect(seen[1]!.headers).toMatchObject({
      "mcp-protocol-version": "2026-07-28",
      "mcp-method": "tools/call",
      "mcp-name": "length",
    });
    await sent(upstream, stateless(2, "tools/call", params));
    expect(seen).toHaveLength(3);
  });

  it("takes names that no header can carry", async () => {
    const heard = await sent(upstream, stateless(2, "prompts/get", { name: "größe" }));
    expect(JSON.parse(heard.messages.at(-1)!.text)).toMatchObject({
      result: { messages: [{ role: "user" }] },
    });
    expect(seen.at(-1)!.headers["mcp-name"]).toBe("=?base64?Z3LDtsOfZQ==?=");
  });

  it("answers an unknown method with 404 and a message, which both come through", async () => {
    const heard = await sent(upstream, stateless(3, "no/such"));
    expect(heard.heads).toMatchObject([{ status: 404, streaming: false }]);
    expect(JSON.parse(heard.messages[0]!.text)).toMatchObject({ id: 3, error: { code: -32601 } });
    expect(heard.ends).toBe(1);
  });

  it("tells of changed tools who listens", async () => {
    let changes = 0;
    upstream.onToolsChanged(() => {
      changes += 1;
    });
    expect(toolNames(await upstream.ask("tools/list", {}, NEVER))).toEqual(["length"]);
    await expect
      .poll(
        () => {
          toolsChanged();
          return changes;
        },
        { timeout: 5_000 },
      )
      .toBeGreaterThan(0);
  });
});
