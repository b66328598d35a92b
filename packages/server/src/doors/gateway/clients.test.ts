import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { toNodeHandler } from "@modelcontextprotocol/node";
import { CreateMessageRequestSchema } from "@modelcontextprotocol/sdk/types.js";
import { createMcpHandler, fromJsonSchema, inputRequired, McpServer } from "@modelcontextprotocol/server";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createHttpUpstream } from "../../engines/upstream/http/index.ts";
import { type RunningServer, startEverything } from "../../engines/upstream/http/testing/everything.ts";
import type { Upstream } from "../../engines/upstream/types.ts";
import { createLog } from "../../kernel/log.ts";
import { CLIENTS, newer, older } from "./testing/clients.ts";
import { SERVER_ID, type Stand, startStand, TOKEN } from "./testing/stand.ts";
import { denial } from "./testing/test-gateway.ts";

const upstreamAt = (port: number): Upstream =>
  createHttpUpstream(
    {
      transport: "http",
      url: `http://127.0.0.1:${port}/mcp`,
      headers: async () => ({ authorization: "Bearer of-the-upstream" }),
      renew: async () => false,
    },
    { allowPrivate: [`127.0.0.1:${port}`], log: createLog("silent") },
  );

const toolNames = (tools: readonly { name: string }[]) => tools.map(({ name }) => name);

describe("a server with sessions", () => {
  let server: RunningServer;
  let upstream: Upstream;
  let stand: Stand;
  beforeAll(async () => {
    server = await startEverything("streamableHttp");
    upstream = upstreamAt(server.port);
    stand = await startStand({ upstream });
    stand.gateway.add(TOKEN, SERVER_ID, {
      version: "1",
      default: "allow",
      hide: ["get-env"],
      tools: {
        echo: { deny_if: [{ conditions: [{ path: "args.message", op: "contains", value: "forbidden" }] }] },
      },
    });
  });
  afterAll(async () => {
    await stand.stop();
    await upstream.close();
    await server.stop();
  });

  for (const [kind, connect] of Object.entries(CLIENTS)) {
    it(`serves ${kind}`, async () => {
      const client = await connect(stand.proxyUrl);
      const names = await client.names();
      expect(names).toContain("echo");
      expect(names).not.toContain("get-env");
      expect(await client.call("echo", { message: "höre" })).toMatchObject({
        text: "Echo: höre",
        isError: false,
      });
      const denied = await client.call("echo", { message: "what is forbidden" });
      expect(denied.isError).toBe(true);
      expect(denied.text).toMatch(/^Denied by policy/);
      expect(denied.decision).toMatchObject({
        outcome: "deny",
        rule: "/tools/echo/deny_if/args.message-contains",
      });
      expect((await client.call("get-env", {})).decision).toMatchObject({ rule: "(hidden)" });
      let progress = 0;
      const long = { duration: 0.4, steps: 3 };
      const ran = await client.call("trigger-long-running-operation", long, () => {
        progress += 1;
      });
      expect(ran.text).toContain("completed");
      expect(progress).toBeGreaterThanOrEqual(2);
      await client.close();
    });

    it(`tells ${kind} when the grant is no more`, async () => {
      const client = await connect(stand.proxyUrl);
      stand.gateway.revoked.add(`gra_${TOKEN}`);
      await expect(client.call("echo", { message: "x" })).rejects.toThrow();
      stand.gateway.revoked.clear();
      expect((await client.call("echo", { message: "x" })).text).toBe("Echo: x");
      await client.close();
    });
  }

  it("asks the older client for a sample in the midst of a call, through the gateway", async () => {
    const { client } = await older(stand.proxyUrl, { capabilities: { sampling: {} } }, (made) =>
      made.setRequestHandler(CreateMessageRequestSchema, async () => ({
        ...{ model: "m", role: "assistant" as const },
        content: { type: "text" as const, text: "sampled by the client" },
      })),
    );
    const args = { prompt: "p", maxTokens: 5 };
    const result = await client.callTool({ name: "trigger-sampling-request", arguments: args });
    expect(JSON.stringify(result)).toContain("sampled by the client");
    expect(stand.gateway.judged.map(({ method }) => method)).toContain("(response)");
    await client.close();
  });

  for (const [kind, connect] of Object.entries(CLIENTS)) {
    it(`tells ${kind} what became of a server that is gone`, async () => {
      const gone = upstreamAt(1);
      const client = await connect(stand.proxyUrl);
      stand.reached = gone;
      const called = client.call("echo", { message: "x" });
      await expect(called).rejects.toThrow(/The upstream server failed \(connect\): .* It did not run\./);
      expect(stand.gateway.ends.at(-1)?.end).toMatchObject({ ran: "no", problem: "connect" });
      await expect(connect(stand.proxyUrl)).rejects.toThrow(/connect|HTTP 502/);
      stand.reached = upstream;
      expect((await client.call("echo", { message: "x" })).text).toBe("Echo: x");
      await client.close();
      await gone.close();
    });
  }

  it("ends a session with its client, and none of another's", async () => {
    const [one, other] = await Promise.all([older(stand.proxyUrl), newer(stand.proxyUrl, "legacy")]);
    await one.transport.terminateSession();
    const echo = { name: "echo", arguments: { message: "x" } };
    await expect(one.client.callTool(echo)).rejects.toThrow();
    expect(JSON.stringify(await other.client.callTool(echo))).toContain("Echo: x");
    await one.client.close();
    await other.client.close();
  });
});

describe("a server without sessions", () => {
  let http: Server;
  let upstream: Upstream;
  let stand: Stand;
  let handler: ReturnType<typeof createMcpHandler>;
  const seen: Record<string, string | string[] | undefined>[] = [];
  const paid: unknown[] = [];

  beforeAll(async () => {
    handler = createMcpHandler(statelessServer, { legacy: "reject" });
    const serve = toNodeHandler(handler);
    http = createServer((request, response) => {
      seen.push(request.headers);
      void serve(request, response);
    });
    await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
    upstream = upstreamAt((http.address() as AddressInfo).port);
    stand = await startStand({ upstream });
  });
  afterAll(async () => {
    await stand.stop();
    await handler.close();
    await upstream.close();
    http.closeAllConnections();
    await new Promise<void>((resolve) => void http.close(() => resolve()));
  });

  function statelessServer() {
    const server = new McpServer(
      { name: "stateless", version: "1" },
      { capabilities: { tools: { listChanged: true }, prompts: {} } },
    );
    const text = (said: string) => ({ content: [{ type: "text" as const, text: said }] });
    const region = { type: "string", "x-mcp-header": "Region" } as const;
    const objectOf = (properties: Record<string, unknown>) =>
      fromJsonSchema<Record<string, string>>({ type: "object", properties } as never);
    server.registerTool("secret", { inputSchema: objectOf({}) }, () => text("secret"));
    server.registerTool("where", { inputSchema: objectOf({ region }) }, (args) => text(`in ${args.region}`));
    server.registerTool("pay", { inputSchema: objectOf({ to: { type: "string" } }) }, (args) => {
      paid.push(args);
      return text(`paid ${args.to}`);
    });
    server.registerTool("ask", { inputSchema: objectOf({}) }, (_args, context) => {
      const { inputResponses } = context.mcpReq as { inputResponses?: Record<string, { content?: unknown }> };
      if (inputResponses?.color !== undefined) return text(JSON.stringify(inputResponses.color));
      return inputRequired({
        inputRequests: {
          color: inputRequired.elicit({
            message: "Which?",
            requestedSchema: { type: "object", properties: { color: { type: "string" } } },
          }),
        },
        requestState: "of the upstream",
      });
    });
    server.registerPrompt("größe", { description: "size" }, () => ({
      messages: [{ role: "user", content: { type: "text", text: "Wie groß?" } }],
    }));
    return server;
  }

  it("serves today's client", async () => {
    const { client } = await newer(stand.proxyUrl, "pinned");
    const { tools } = await client.listTools();
    expect(toolNames(tools)).toEqual(["where", "pay", "ask"]);
    stand.tools = tools as never;
    const where = await client.callTool({ name: "where", arguments: { region: "Köln" } });
    expect(JSON.stringify(where)).toContain("in Köln");
    expect(seen.at(-1)).toMatchObject({
      "mcp-name": "where",
      "mcp-param-region": `=?base64?${Buffer.from("Köln").toString("base64")}?=`,
      authorization: "Bearer of-the-upstream",
    });
    const prompt = await client.getPrompt({ name: "größe" });
    expect(JSON.stringify(prompt)).toContain("Wie groß?");
    await expect(client.callTool({ name: "no-such-tool", arguments: {} })).rejects.toMatchObject({
      code: -32602,
    });
    expect(stand.gateway.ends.at(-1)?.end).toMatchObject({ ran: "no", problem: "-32602" });
    await client.close();
  });

  it("passes its own questions to the client, and the answers back", async () => {
    const { client } = await newer(
      stand.proxyUrl,
      "pinned",
      { capabilities: { elicitation: { form: {} } } },
      (made) =>
        made.setRequestHandler("elicitation/create", () => ({
          action: "accept" as const,
          content: { color: "blue" },
        })),
    );
    const result = await client.callTool({ name: "ask", arguments: {} });
    expect(JSON.stringify(result)).toContain("blue");
    expect(stand.gateway.judged.at(-1)).toMatchObject({ tool: "ask", requestState: null });
    await client.close();
  });

  it("tells of changes on a stream that stays open", async () => {
    const { client } = await newer(stand.proxyUrl, "pinned");
    let changes = 0;
    client.setNotificationHandler("notifications/tools/list_changed", () => {
      changes += 1;
    });
    const subscription = await client.listen({ toolsListChanged: true });
    handler.notify.toolsChanged();
    await expect.poll(() => changes).toBe(1);
    await subscription.close();
    await client.close();
  });

  it("holds a call for a person: the client opens the page, and the call made again runs once", async () => {
    const approvalUrl = `${stand.url}/approve/apr_1`;
    let approved = false;
    const states: (string | null)[] = [];
    stand.gateway.verdict = ({ tool, requestState, opensUrls }) => {
      if (tool !== "pay") return null;
      states.push(requestState);
      if (approved) return null;
      expect(opensUrls).toBe(true);
      return { kind: "ask", approvalUrl, requestState: "state-1", message: "Needs a person." };
    };
    const opened: unknown[] = [];
    const { client } = await newer(
      stand.proxyUrl,
      "pinned",
      { capabilities: { elicitation: { url: {} } } },
      (made) =>
        made.setRequestHandler("elicitation/create", ({ params }) => {
          opened.push(params);
          approved = true;
          return { action: "accept" as const };
        }),
    );
    const result = await client.callTool({ name: "pay", arguments: { to: "bob" } });
    expect(JSON.stringify(result)).toContain("paid bob");
    expect(opened).toEqual([{ mode: "url", message: "Needs a person.", url: approvalUrl }]);
    expect(states).toEqual([null, "state-1"]);
    expect(paid).toEqual([{ to: "bob" }]);
    stand.gateway.verdict = () => null;
    await client.close();
  });

  it("tells a client that can't open a page in words", async () => {
    stand.gateway.verdict = ({ tool, opensUrls }) => {
      if (tool !== "pay") return null;
      expect(opensUrls).toBe(false);
      return { kind: "answer", result: denial("hold", "/tools/pay/approve_if/0") };
    };
    const { client } = await newer(stand.proxyUrl, "pinned");
    const result = await client.callTool({ name: "pay", arguments: { to: "eve" } });
    expect(result.isError).toBe(true);
    expect(result._meta?.["ambit/decision"]).toMatchObject({ outcome: "hold" });
    stand.gateway.verdict = () => null;
    await client.close();
  });
});
