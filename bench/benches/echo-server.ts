import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { toNodeHandler } from "@modelcontextprotocol/node";
import { createMcpHandler, McpServer } from "@modelcontextprotocol/server";
import { z } from "zod";
import { serve } from "../harness/child.ts";

/** The least an MCP server can do on the SDK Ambit uses: one tool that gives back its argument. No keys, no database. */
const handler = createMcpHandler(() => {
  const server = new McpServer({ name: "echo", version: "1.0.0" });
  server.registerTool("echo", { inputSchema: z.object({ text: z.string() }) }, ({ text }) => ({
    content: [{ type: "text", text }],
  }));
  return server;
});

/** Listens on a free port of `host`; gives the port. */
const listen = async (host: string): Promise<number> => {
  const server = createServer(toNodeHandler(handler)).listen(0, host);
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
};
const commands = { listen };
export type EchoCommands = typeof commands;

serve(commands);
