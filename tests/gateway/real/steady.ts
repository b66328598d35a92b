/** A server by the makers' own library (v1) that works until it is told to stop: `steady.ts`, or `steady.ts <port>`. */
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { z } from "zod";

const said = (text: string) => ({ content: [{ type: "text" as const, text }] });
let running = 0;
let stopped = 0;

function build(): McpServer {
  const server = new McpServer({ name: "steady", version: "1" });
  server.registerTool("work", {}, async ({ signal, sendNotification, _meta }) => {
    running += 1;
    for (let progress = 1; !signal.aborted; progress++) {
      const progressToken = _meta?.progressToken;
      if (progressToken !== undefined) {
        await sendNotification({ method: "notifications/progress", params: { progress, progressToken } });
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    running -= 1;
    stopped += 1;
    return said("stopped");
  });
  server.registerTool("count", {}, () => said(JSON.stringify({ running, stopped })));
  server.registerTool("pid", {}, () => said(String(process.pid)));
  server.registerTool("sleep", { inputSchema: { ms: z.number(), say: z.string() } }, async ({ ms, say }) => {
    await new Promise((resolve) => setTimeout(resolve, ms));
    return said(say);
  });
  server.registerTool("large", { inputSchema: { chars: z.number() } }, ({ chars }) =>
    said("ж".repeat(chars)),
  );
  return server;
}

const [port] = process.argv.slice(2);
if (port === undefined) await build().connect(new StdioServerTransport());
else {
  const open = new Map<string, StreamableHTTPServerTransport>();
  createServer(async (request, response) => {
    const id = request.headers["mcp-session-id"];
    let transport = typeof id === "string" ? open.get(id) : undefined;
    if (transport === undefined) {
      if (id !== undefined) return void response.writeHead(404).end();
      const fresh = new StreamableHTTPServerTransport({
        sessionIdGenerator: randomUUID,
        onsessioninitialized: (session) => void open.set(session, fresh),
      });
      await build().connect(fresh as unknown as Parameters<McpServer["connect"]>[0]);
      transport = fresh;
    }
    await transport.handleRequest(request, response);
  }).listen(Number(port), "127.0.0.1", () => process.stderr.write("listening on port\n"));
}
