import {
  type CallToolResult,
  type ListToolsResult,
  Server,
  type ServerOptions,
  SUPPORTED_PROTOCOL_VERSIONS,
} from "@modelcontextprotocol/server";
import { AjvJsonSchemaValidator } from "@modelcontextprotocol/server/validators/ajv";
import { type CallToolDeps, callTool } from "./call-tool.ts";
import type { Caller } from "./caller.ts";
import type { Toolset } from "./catalogue.ts";
import { limits } from "./limits.ts";
import { instructionsFor, promptMessages, QUICKSTART } from "./prompts.ts";

/** The newest revision of the protocol, the first without sessions. */
export const STATELESS_VERSION = "2026-07-28";

/** Makes the protocol server of one request. Everything that is the same for every request is made once. */
export type SessionFactory = (caller: Caller) => Server;

/** Prepares the sessions of a toolset. */
export function createSessionFactory(
  deps: CallToolDeps & { version: string },
  toolset: Toolset,
): SessionFactory {
  const info = { name: "ambit", version: deps.version };
  const cached = { ttlMs: limits.listTtlMs, cacheScope: "private" as const };
  const options: ServerOptions = {
    capabilities: { tools: {}, prompts: {} },
    instructions: instructionsFor(toolset),
    supportedProtocolVersions: [STATELESS_VERSION, ...SUPPORTED_PROTOCOL_VERSIONS],
    cacheHints: { "server/discover": cached, "tools/list": cached, "prompts/list": cached },
    jsonSchemaValidator: new AjvJsonSchemaValidator(),
  };
  const tools = { tools: toolset.listed } as unknown as ListToolsResult;
  const prompts = { prompts: [QUICKSTART] };
  return (caller) => {
    const server = new Server(info, options);
    server.setRequestHandler("tools/list", () => tools);
    server.setRequestHandler("tools/call", async (request, context) => {
      const { name, arguments: args } = request.params;
      const result = await callTool(deps, toolset, caller, name, args ?? {}, context.mcpReq.signal);
      return result as CallToolResult;
    });
    server.setRequestHandler("prompts/list", () => prompts);
    server.setRequestHandler("prompts/get", (request) =>
      promptMessages(toolset, request.params.name, request.params.arguments),
    );
    return server;
  };
}
