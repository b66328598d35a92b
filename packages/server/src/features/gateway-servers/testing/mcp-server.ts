import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { toNodeHandler } from "@modelcontextprotocol/node";
import {
  createMcpHandler,
  type ListToolsResult,
  Server,
  SUPPORTED_PROTOCOL_VERSIONS,
} from "@modelcontextprotocol/server";

/** A real MCP server on loopback whose tools change as a test wants; each answers with what it was called with. */
export interface TestMcpServer {
  readonly url: string;
  /** As in AMBIT_ALLOW_PRIVATE_FETCH. */
  readonly host: string;
  /** Pages of tools/list; whatever a test puts there is what is answered. */
  pages: unknown[][];
  /** Headers of every HTTP request, in the order they came. */
  readonly requests: IncomingHttpHeaders[];
  /** How often tools/list was asked. */
  lists: number;
  /** Answers every request with this status, when set. */
  fails: number | null;
  /** Every tools/list waits so long. */
  delayMs: number;
  /** Tells whoever listens that the tools have changed. */
  toolsChanged(): void;
  close(): Promise<void>;
}

export const tool = (name: string, description = `What ${name} does`): Record<string, unknown> => ({
  name,
  description,
  inputSchema: { type: "object", properties: { id: { type: "string" } } },
});

export async function startMcpServer(...tools: unknown[]): Promise<TestMcpServer> {
  const handler = createMcpHandler(() => {
    const server = new Server(
      { name: "test", version: "1.0.0" },
      {
        capabilities: { tools: { listChanged: true } },
        supportedProtocolVersions: ["2026-07-28", ...SUPPORTED_PROTOCOL_VERSIONS],
      },
    );
    server.setRequestHandler("tools/list", async (request) => {
      made.lists += 1;
      const page = Number(request.params?.cursor ?? 0);
      if (made.delayMs > 0) await new Promise((resolve) => setTimeout(resolve, made.delayMs));
      const next = page + 1 < made.pages.length ? { nextCursor: String(page + 1) } : {};
      return { tools: made.pages[page], ...next } as unknown as ListToolsResult;
    });
    server.setRequestHandler("tools/call", async ({ params }) => ({
      content: [{ type: "text", text: `${params.name} ${JSON.stringify(params.arguments ?? {})}` }],
    }));
    return server;
  });
  const serve = toNodeHandler(handler);
  const http = createServer((request, response) => {
    made.requests.push(request.headers);
    if (made.fails === null) void serve(request, response);
    else response.writeHead(made.fails).end();
  });
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  const host = `127.0.0.1:${(http.address() as AddressInfo).port}`;
  const made: TestMcpServer = {
    ...{ url: `http://${host}/mcp`, host, pages: [tools], requests: [], lists: 0, fails: null, delayMs: 0 },
    toolsChanged: () => handler.notify.toolsChanged(),
    async close() {
      await handler.close();
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
  return made;
}
