import { randomUUID } from "node:crypto";
import type { ServerResponse } from "node:http";
import { bodyOf, type Handler } from "../support/stage.ts";
import type { Args } from "../support/tool-server.ts";

interface Listed {
  readonly name: string;
  readonly description: string;
}

/** An MCP server of 2024-11-05: answers come on the stream of a GET, to messages that are posted elsewhere. */
export function olderServer(tools: readonly Listed[], call: (name: string, args: Args) => void): Handler {
  const streams = new Map<string, ServerResponse>();
  return async (request, response) => {
    const url = new URL(request.url ?? "", "http://localhost");
    const at = url.pathname.slice(0, url.pathname.lastIndexOf("/"));
    if (request.method === "GET" && url.pathname.endsWith("/sse")) {
      const id = randomUUID();
      streams.set(id, response);
      response.on("close", () => streams.delete(id));
      response.writeHead(200, { "content-type": "text/event-stream" });
      return response.write(`event: endpoint\ndata: ${at}/messages?session=${id}\n\n`);
    }
    const stream = streams.get(url.searchParams.get("session") ?? "");
    if (request.method !== "POST" || stream === undefined) return response.writeHead(405).end();
    const { id, method, params } = JSON.parse(await bodyOf(request));
    response.writeHead(202).end();
    if (id === undefined) return;
    if (method === "tools/call") call(params.name, params.arguments ?? {});
    const answer = { jsonrpc: "2.0", id, ...answerTo(method, tools) };
    stream.write(`event: message\ndata: ${JSON.stringify(answer)}\n\n`);
  };
}

function answerTo(method: string, tools: readonly Listed[]): object {
  switch (method) {
    case "initialize":
      return {
        result: {
          protocolVersion: "2024-11-05",
          capabilities: { tools: {} },
          serverInfo: { name: "older", version: "1.0.0" },
        },
      };
    case "tools/list":
      return { result: { tools: tools.map((tool) => ({ ...tool, inputSchema: { type: "object" } })) } };
    case "tools/call":
      return { result: { content: [{ type: "text", text: "ok" }] } };
    default:
      return { error: { code: -32601, message: "Method not found" } };
  }
}
