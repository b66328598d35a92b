import { toNodeHandler } from "@modelcontextprotocol/node";
import {
  type CallToolResult,
  createMcpHandler,
  type ListToolsResult,
  Server,
  SUPPORTED_PROTOCOL_VERSIONS,
} from "@modelcontextprotocol/server";
import type { Handler } from "./stage.ts";

export type Args = Readonly<Record<string, unknown>>;

/** A tool of a server under attack. */
export interface Tool {
  readonly name: string;
  readonly description?: string;
  readonly inputSchema?: object;
  readonly annotations?: object;
  readonly _meta?: object;
  /** What it answers: a text, or a whole result. */
  run(args: Args): unknown;
}

/** A real MCP server of both protocol eras, whose list of tools may be another at every look. */
export function toolServer(tools: readonly Tool[] | ((client: string) => readonly Tool[])): Handler {
  const handler = createMcpHandler(() => {
    const server = new Server(
      { name: "upstream", version: "1.0.0" },
      {
        capabilities: { tools: {} },
        supportedProtocolVersions: ["2026-07-28", ...SUPPORTED_PROTOCOL_VERSIONS],
      },
    );
    const toolsFor = () =>
      typeof tools === "function" ? tools(server.getClientVersion()?.name ?? "") : tools;
    server.setRequestHandler("tools/list", () => {
      const listed = toolsFor().map(({ run: _run, inputSchema = { type: "object" }, ...tool }) => ({
        ...tool,
        inputSchema,
      }));
      return { tools: listed } as unknown as ListToolsResult;
    });
    server.setRequestHandler("tools/call", async ({ params }) => {
      const tool = toolsFor().find(({ name }) => name === params.name);
      if (tool === undefined) throw new Error(`there is no tool ${params.name}`);
      return asResult(await tool.run(params.arguments ?? {}));
    });
    return server;
  });
  const serve = toNodeHandler(handler);
  return (request, response) => serve(request, response);
}

const asResult = (answer: unknown): CallToolResult =>
  typeof answer === "object" && answer !== null
    ? (answer as CallToolResult)
    : { content: [{ type: "text", text: String(answer ?? "ok") }] };

/** The schema of arguments of these names, all of them optional. */
export const takes = (...names: readonly string[]) => ({
  type: "object",
  properties: Object.fromEntries(names.map((name) => [name, {}])),
});
