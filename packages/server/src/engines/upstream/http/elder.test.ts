import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { toNodeHandler } from "@modelcontextprotocol/node";
import { createMcpHandler, inputRequired, McpServer } from "@modelcontextprotocol/server";
import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { repeatedArguments } from "../param-headers.ts";
import type { Message, Upstream } from "../types.ts";
import { headersFor } from "./mirroring.ts";
import { call, hears, initialized, inSession, sent } from "./testing/listening.ts";
import { upstreamAt } from "./testing/upstream-at.ts";

const said = (text: string) => ({ content: [{ type: "text" as const, text }] });
const region = () => z.string().meta({ "x-mcp-header": "Region" });

/** A server by its makers' own library that speaks 2026-07-28 and nothing older. */
function newServer(more: readonly string[]): McpServer {
  const server = new McpServer(
    { name: "newer", version: "1" },
    { instructions: "Be kind.", capabilities: { tools: { listChanged: true } } },
  );
  server.registerTool("echo", { inputSchema: z.object({ text: z.string() }) }, ({ text }) => said(text));
  const placed = z.object({ region: region(), rows: z.number().int().meta({ "x-mcp-header": "Rows" }) });
  server.registerTool("place", { inputSchema: placed }, (args) => said(`${args.region} ${args.rows}`));
  for (const name of more)
    server.registerTool(name, { inputSchema: z.object({ zone: region() }) }, ({ zone }) => said(zone));
  server.registerTool("ask", {}, () =>
    inputRequired({
      inputRequests: {
        name: inputRequired.elicit({
          message: "Who?",
          requestedSchema: { type: "object", properties: { name: { type: "string" } } },
        }),
      },
    }),
  );
  return server;
}

let http: Server;
let upstream: Upstream;
let port: number;
let toolsChanged = () => {};
const more: string[] = [];
const seen: { method: unknown; headers: IncomingHttpHeaders }[] = [];

beforeAll(async () => {
  const handler = createMcpHandler(() => newServer(more), { legacy: "reject", keepAliveMs: 1_000 });
  toolsChanged = () => handler.notify.toolsChanged();
  const serve = toNodeHandler(handler);
  http = createServer((request, response) => {
    seen.push({ method: request.headers["mcp-method"] ?? null, headers: request.headers });
    void serve(request, response);
  });
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  port = (http.address() as AddressInfo).port;
  upstream = upstreamAt(port);
});
afterAll(async () => {
  await upstream.close();
  http.closeAllConnections();
  await new Promise<void>((resolve) => void http.close(() => resolve()));
});
beforeEach(() => {
  seen.length = 0;
});

const methods = () => seen.map(({ method }) => method);
const answerOf = (heard: { messages: readonly { text: string }[] }) =>
  JSON.parse(heard.messages.at(-1)!.text);
const asked = async (message: Message, sessionId: string | null, at = upstream) =>
  sent(at, inSession(message, { sessionId }));

describe("older clients in front of a server that only speaks 2026-07-28", () => {
  it("have a session here, and the server is asked in its own era", async () => {
    const params = {
      protocolVersion: "2025-06-18",
      capabilities: {},
      clientInfo: { name: "old", version: "1" },
    };
    const opened = await asked({ jsonrpc: "2.0", id: 0, method: "initialize", params }, null);
    expect(answerOf(opened)).toMatchObject({
      id: 0,
      result: {
        protocolVersion: "2025-06-18",
        serverInfo: { name: "newer" },
        instructions: "Be kind.",
        capabilities: { tools: { listChanged: true } },
      },
    });
    expect(opened.heads).toMatchObject([{ status: 200, sessionId: expect.any(String) }]);
    const { sessionId } = opened.heads[0]!;
    const began = { jsonrpc: "2.0", method: "notifications/initialized" };
    expect((await asked(began, sessionId)).heads).toMatchObject([{ status: 202 }]);
    const echoed = await asked(call(1, "echo", { text: "höre" }), sessionId);
    expect(answerOf(echoed)).toMatchObject({ id: 1, result: { content: [{ text: "höre" }] } });
    expect(echoed.messages[0]!.text).not.toContain("resultType");
    const unknown = await asked({ jsonrpc: "2.0", id: 2, method: "logging/setLevel" }, sessionId);
    expect([unknown.heads[0]!.status, answerOf(unknown).error.code]).toEqual([200, -32601]);
    const question = answerOf(await asked(call(3, "ask"), sessionId));
    expect(question.result?.isError === true || question.error !== undefined).toBe(true);
    expect(question.result?.resultType).toBeUndefined();
    // Refused once; then it is known.
    expect(methods()).toEqual([null, "server/discover", "server/discover", "tools/call", "tools/call"]);
    for (const { headers } of seen.slice(1)) {
      expect(headers).toMatchObject({ "mcp-protocol-version": "2026-07-28" });
      expect(headers["mcp-session-id"]).toBeUndefined();
    }
    seen.length = 0;
    expect(await initialized(upstream)).not.toBe(sessionId);
    expect(methods()).toEqual(["server/discover"]);
  });

  it("end their session, and find it on no other node", async () => {
    const sessionId = await initialized(upstream);
    const elsewhere = upstreamAt(port);
    const list = { jsonrpc: "2.0", id: 1, method: "tools/list" };
    expect((await asked(list, sessionId, elsewhere)).heads).toMatchObject([{ status: 404 }]);
    await elsewhere.endSession(sessionId);
    await elsewhere.close();
    expect((await asked(list, sessionId)).heads).toMatchObject([{ status: 200 }]);
    await upstream.endSession(sessionId);
    expect((await asked(list, sessionId)).heads).toMatchObject([{ status: 404 }]);
    const listening = hears();
    const signal = AbortSignal.timeout(5_000);
    upstream.listen({ sessionId, headers: {}, lastEventId: null, signal }, listening);
    await listening.done;
    expect(listening.heads).toMatchObject([{ status: 404 }]);
  });

  it("hear of changed tools", async () => {
    const sessionId = await initialized(upstream);
    const stop = new AbortController();
    const listening = hears();
    upstream.listen({ sessionId, headers: {}, lastEventId: null, signal: stop.signal }, listening);
    await expect
      .poll(() => {
        toolsChanged();
        return listening.messages.length;
      })
      .toBeGreaterThan(0);
    const heard = listening.messages[0]!.text;
    expect(JSON.parse(heard)).toMatchObject({ method: "notifications/tools/list_changed" });
    expect(heard).not.toContain("io.modelcontextprotocol");
    stop.abort();
    await listening.done;
  });

  it("call tools whose arguments headers repeat, also once others do", async () => {
    const sessionId = await initialized(upstream);
    seen.length = 0;
    const place = (id: number, text: string) =>
      asked(call(id, "place", { region: text, rows: 7 }), sessionId);
    expect(answerOf(await place(1, "Köln")).result.content[0].text).toBe("Köln 7");
    // Missed once, and then known.
    expect(methods()).toEqual(["tools/call", "tools/list", "tools/call"]);
    expect(answerOf(await place(2, "eu")).result.content[0].text).toBe("eu 7");
    expect(seen).toHaveLength(4);
    expect(seen.at(-1)!.headers).toMatchObject({ "mcp-param-region": "eu", "mcp-param-rows": "7" });
    more.push("zone");
    const zoned = await asked(call(3, "zone", { zone: "north" }), sessionId);
    expect(answerOf(zoned).result.content[0].text).toBe("north");
    expect(answerOf(await asked(call(4, "echo", { text: "as ever" }), sessionId))).toMatchObject({ id: 4 });
  });

  it("are told when the server is gone, and let in again when it is back", async () => {
    const gone = createServer((_request, response) => response.writeHead(503).end());
    const handler = toNodeHandler(createMcpHandler(() => newServer([]), { legacy: "reject" }));
    let up = true;
    const changing = createServer((request, response) =>
      up ? void handler(request, response) : gone.emit("request", request, response),
    );
    await new Promise<void>((resolve) => changing.listen(0, "127.0.0.1", resolve));
    const at = upstreamAt((changing.address() as AddressInfo).port);
    try {
      await initialized(at);
      up = false;
      const refused = await sent(at, inSession({ jsonrpc: "2.0", id: 1, method: "initialize", params: {} }));
      expect(refused.failures).toMatchObject([{ status: 503, ran: "no" }]);
      up = true;
      expect(await initialized(at)).toEqual(expect.any(String));
    } finally {
      await at.close();
      changing.closeAllConnections();
      await new Promise<void>((resolve) => void changing.close(() => resolve()));
    }
  });
});

describe("the headers of a call", () => {
  it("are those its tool's schema marks, and say what the arguments say", () => {
    const schema = {
      type: "object",
      properties: {
        region: { type: "string", "x-mcp-header": "Region" },
        limits: { type: "object", properties: { rows: { type: "integer", "x-mcp-header": "Rows" } } },
        wrong: { type: "object", "x-mcp-header": "Wrong" },
        bad: { type: "string", "x-mcp-header": "no token" },
      },
    };
    const known = new Map([["t", repeatedArguments(schema)]]);
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.maxSafeInteger(), (text, rows) => {
        const message = {
          params: { name: "t", arguments: { region: text, limits: { rows }, wrong: {}, bad: "x" } },
        };
        const headers = headersFor(known, message)!;
        expect(Object.keys(headers)).toEqual(["mcp-param-region", "mcp-param-rows"]);
        const [, encoded] = /^=\?base64\?(.*)\?=$/.exec(headers["mcp-param-region"]!) ?? [];
        const written =
          encoded === undefined ? headers["mcp-param-region"] : Buffer.from(encoded, "base64").toString();
        expect([written, headers["mcp-param-rows"]]).toEqual([text, String(rows)]);
      }),
      { seed: 20260728, numRuns: 200 },
    );
    expect(headersFor(known, { params: { name: "t", arguments: { region: null, limits: 3 } } })).toEqual({});
    expect(headersFor(known, { params: { name: "other", arguments: { region: "x" } } })).toBeNull();
  });
});
