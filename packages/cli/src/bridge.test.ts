import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { Client, type ClientOptions } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { toNodeHandler } from "@modelcontextprotocol/node";
import { createMcpHandler, fromJsonSchema, McpServer } from "@modelcontextprotocol/server";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import {
  type RunningServer,
  startEverything,
} from "../../server/src/engines/upstream/http/testing/everything.ts";
import { BIN } from "./testing/ambit.ts";
import { startRecordingProxy } from "./testing/recording-proxy.ts";

type Proxy = Awaited<ReturnType<typeof startRecordingProxy>>;

const clients: Client[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
});

/** A client that starts the bridge itself, in front of a URL. */
async function throughBridge(
  url: string,
  options: ClientOptions,
  prepare: (client: Client) => void = () => {},
) {
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [BIN, "mcp", "--url", url],
    env: { PATH: process.env.PATH!, AMBIT_API_KEY: "amb_gr_test" },
    stderr: "pipe",
  });
  const complaints: string[] = [];
  transport.stderr?.on("data", (chunk) => complaints.push(String(chunk)));
  const client = new Client({ name: "test", version: "1" }, options);
  prepare(client);
  await client.connect(transport);
  clients.push(client);
  return { client, complaints };
}

const said = (result: unknown) => JSON.stringify(result);
const LEGACY = { versionNegotiation: { mode: "legacy" } } as const;

describe("ambit mcp before a server with sessions", () => {
  let everything: RunningServer;
  let proxy: Proxy;
  beforeAll(async () => {
    everything = await startEverything("streamableHttp");
  });
  beforeEach(async () => {
    proxy = await startRecordingProxy(everything.port);
  });
  afterEach(() => proxy.stop());
  afterAll(() => everything.stop());

  it("sends the key, the session and the version, opens the server's stream, and ends the session", async () => {
    const { client, complaints } = await throughBridge(proxy.url, LEGACY);
    expect(said(await client.callTool({ name: "echo", arguments: { message: "hé\u2028" } }))).toContain(
      "Echo: hé",
    );
    const [call] = proxy.of("tools/call");
    expect(call!.headers).toMatchObject({
      authorization: "Bearer amb_gr_test",
      "mcp-protocol-version": "2025-11-25",
      "mcp-session-id": expect.stringMatching(/./),
    });
    const session = call!.headers["mcp-session-id"];
    await vi.waitFor(() => expect(proxy.passed.some(({ verb }) => verb === "GET")).toBe(true));
    expect(proxy.of("initialize")[0]!.headers["mcp-session-id"]).toBeUndefined();
    await client.close();
    await vi.waitFor(() => expect(proxy.ended()).toEqual([session]));
    expect(complaints).toEqual([]);
  });

  it("sends nothing before the server has taken initialized", async () => {
    const { client } = await throughBridge(proxy.url, LEGACY);
    await client.ping();
    const methods = proxy.passed.filter(({ verb }) => verb === "POST").map(({ message }) => message!.method);
    expect(methods.slice(-3)).toEqual(["initialize", "notifications/initialized", "ping"]);
  });

  it("carries the server's requests: one by its own stream, one in the midst of a call", async () => {
    const asked: string[] = [];
    const options = { ...LEGACY, capabilities: { sampling: {}, roots: { listChanged: true } } };
    const { client } = await throughBridge(proxy.url, options, (made) => {
      made.setRequestHandler("roots/list", async () => {
        asked.push("roots");
        return { roots: [{ uri: "file:///here", name: "here" }] };
      });
      made.setRequestHandler("sampling/createMessage", async () => ({
        ...{ model: "m", role: "assistant" as const },
        content: { type: "text" as const, text: "sampled by the client" },
      }));
    });
    await vi.waitFor(() => expect(asked).toEqual(["roots"]), 5_000);
    const args = { prompt: "p", maxTokens: 5 };
    const sampled = await client.callTool({ name: "trigger-sampling-request", arguments: args });
    expect(said(sampled)).toContain("sampled by the client");
    await vi.waitFor(async () => {
      expect(said(await client.callTool({ name: "get-roots-list", arguments: {} }))).toContain(
        "file:///here",
      );
    }, 5_000);
  });

  it("carries progress, and tells the server what is cancelled before it ends the exchange", async () => {
    const { client, complaints } = await throughBridge(proxy.url, LEGACY);
    const progress: number[] = [];
    const long = (duration: number) => ({
      name: "trigger-long-running-operation",
      arguments: { duration, steps: 4 },
    });
    const onprogress = (now: { progress: number }) => progress.push(now.progress);
    expect(said(await client.callTool(long(0.4), { onprogress }))).toContain("completed");
    // The last one comes along with the answer, after which the client does not listen any more.
    expect(progress.slice(0, 3)).toEqual([1, 2, 3]);
    const stop = new AbortController();
    const call = client.callTool(long(20), { signal: stop.signal, onprogress });
    await vi.waitFor(() => expect(proxy.of("tools/call")).toHaveLength(2));
    stop.abort();
    await expect(call).rejects.toThrow();
    await vi.waitFor(() => expect(proxy.of("notifications/cancelled")).toHaveLength(1));
    const [, cancelled] = proxy.of("tools/call");
    expect(proxy.of("notifications/cancelled")[0]!.message!.params!.requestId).toBe(cancelled!.message!.id);
    await vi.waitFor(() => expect(cancelled!.isBrokenOff).toBe(true));
    expect(said(await client.callTool({ name: "echo", arguments: { message: "on" } }))).toContain("Echo: on");
    expect(complaints).toEqual([]);
  });

  it("ends the session when it is told to stop", async () => {
    const { client } = await throughBridge(proxy.url, LEGACY);
    await client.ping();
    const { pid } = client.transport as StdioClientTransport;
    process.kill(pid!, "SIGTERM");
    const session = proxy.of("ping")[0]!.headers["mcp-session-id"];
    await vi.waitFor(() => expect(proxy.ended()).toEqual([session]));
  });
});

describe("ambit mcp when a server forgets the session", () => {
  it("begins another and asks again, once", async () => {
    const http = createForgetful();
    await new Promise<void>((resolve) => http.server.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(http.server.address() as AddressInfo).port}/mcp`;
    const { client, complaints } = await throughBridge(url, LEGACY);
    await client.ping();
    http.forget();
    await Promise.all([client.ping(), client.ping(), client.ping()]);
    expect(http.begun).toBe(2);
    http.forget();
    http.broken = true;
    await expect(client.ping()).rejects.toThrow(/no such session/);
    http.broken = false;
    await client.ping();
    expect(complaints.join("")).not.toContain("    at ");
    http.server.closeAllConnections();
    await new Promise((resolve) => http.server.close(resolve));
  });

  /** Answers `initialize` and `ping`, the latter only in the session it gave last. */
  function createForgetful() {
    const state = {
      begun: 0,
      broken: false,
      forget: () => (session = ""),
      server: null as unknown as Server,
    };
    let session = "";
    state.server = createServer(async (request, response) => {
      let text = "";
      for await (const chunk of request) text += chunk;
      const { id, method } = text === "" ? { id: null, method: null } : JSON.parse(text);
      const json = (status: number, body: object, headers = {}) =>
        response
          .writeHead(status, { "content-type": "application/json", ...headers })
          .end(JSON.stringify({ jsonrpc: "2.0", id, ...body }));
      if (request.method !== "POST") return void response.writeHead(405).end();
      if (method === "initialize" && !state.broken) {
        session = `s${++state.begun}`;
        const result = {
          ...{ protocolVersion: "2025-11-25", capabilities: {} },
          serverInfo: { name: "forgetful", version: "1" },
        };
        return void json(200, { result }, { "mcp-session-id": session });
      }
      if (request.headers["mcp-session-id"] !== session || session === "" || state.broken) {
        return void json(404, { error: { code: -32_001, message: "no such session" } });
      }
      if (id === undefined) return void response.writeHead(202).end();
      json(200, { result: {} });
    });
    return state;
  }
});

describe("ambit mcp before a server without sessions", () => {
  let http: Server;
  let proxy: Proxy;
  let handler: ReturnType<typeof createMcpHandler>;
  beforeAll(async () => {
    handler = createMcpHandler(
      () => {
        const server = new McpServer({ name: "stateless", version: "1" });
        const properties = { region: { type: "string", "x-mcp-header": "Region" } };
        server.registerTool(
          "where",
          { inputSchema: fromJsonSchema<{ region: string }>({ type: "object", properties } as never) },
          ({ region }) => ({ content: [{ type: "text", text: `in ${region}` }] }),
        );
        return server;
      },
      { legacy: "reject" },
    );
    const serve = toNodeHandler(handler);
    http = createServer((request, response) => void serve(request, response));
    await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
    proxy = await startRecordingProxy((http.address() as AddressInfo).port);
  });
  afterAll(async () => {
    await proxy.stop();
    await handler.close();
    http.closeAllConnections();
    await new Promise((resolve) => http.close(resolve));
  });

  const OPTIONS = { versionNegotiation: { mode: { pin: "2026-07-28" } } } as const;
  const where = { name: "where", arguments: { region: "Köln" } };
  const HEADER = `=?base64?${Buffer.from("Köln").toString("base64")}?=`;

  it("repeats in headers what the tools it saw ask for", async () => {
    const { client, complaints } = await throughBridge(proxy.url, OPTIONS);
    await client.listTools();
    expect(said(await client.callTool(where))).toContain("in Köln");
    const calls = proxy.of("tools/call");
    expect(calls).toHaveLength(1);
    expect(calls[0]!.headers).toMatchObject({ "mcp-name": "where", "mcp-param-region": HEADER });
    expect(proxy.passed.some(({ verb }) => verb !== "POST")).toBe(false);
    expect(complaints).toEqual([]);
  });

  it("looks the tools up when the server misses headers, and tells the client nothing of it", async () => {
    const before = proxy.of("tools/call").length;
    const { client, complaints } = await throughBridge(proxy.url, OPTIONS);
    expect(said(await client.callTool(where))).toContain("in Köln");
    const [missing, corrected] = proxy.of("tools/call").slice(before);
    expect(missing!.headers["mcp-param-region"]).toBeUndefined();
    expect(corrected!.headers["mcp-param-region"]).toBe(HEADER);
    expect(complaints).toEqual([]);
  });
});
