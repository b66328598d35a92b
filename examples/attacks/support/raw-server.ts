import type { IncomingMessage, ServerResponse } from "node:http";
import { bodyOf, type Handler, sendJson } from "./stage.ts";
import type { Args } from "./tool-server.ts";

/** A message as a careless server reads it. */
export interface Message {
  readonly id?: unknown;
  readonly method?: unknown;
  readonly params?: {
    readonly name?: unknown;
    readonly arguments?: unknown;
    readonly [key: string]: unknown;
  };
}

export interface RawServer {
  /** Names of the tools it lists. */
  readonly tools: readonly string[];
  /** Reads a body; default JSON.parse. What it throws is answered with 400. */
  read?(text: string): unknown;
  /** A method's name as this server understands it; default as it is. */
  methodOf?(method: string): string;
  /** Runs one tool; what it answers is the text. */
  call(name: string, args: Args, request: IncomingMessage): unknown;
  /** Answers a call itself; true when it did. */
  answer?(message: Message, request: IncomingMessage, response: ServerResponse): boolean | Promise<boolean>;
}

/**
 * A server by hand, as they are written in an afternoon: it believes whatever it can read, in either protocol era, and takes
 * batches.
 */
export function rawServer(server: RawServer): Handler {
  return async (request, response) => {
    if (request.method !== "POST") return response.writeHead(405).end();
    const text = await bodyOf(request);
    let body: unknown;
    try {
      body = (server.read ?? JSON.parse)(text);
    } catch {
      return response.writeHead(400).end();
    }
    try {
      if (Array.isArray(body)) {
        const answers = [];
        for (const message of body as Message[]) answers.push(await answerTo(server, message, request));
        return sendJson(response, answers);
      }
      const message = body as Message;
      if (message.id === undefined) return response.writeHead(202).end();
      if (await server.answer?.(message, request, response)) return;
      sendJson(response, await answerTo(server, message, request));
    } catch (error) {
      sendJson(response, { error: `${error}` }, 500);
    }
  };
}

async function answerTo(server: RawServer, message: Message, request: IncomingMessage): Promise<object> {
  const { id = null } = message;
  const method = (server.methodOf ?? String)(String(message.method));
  const result = (value: object) => ({ jsonrpc: "2.0", id, result: { resultType: "complete", ...value } });
  switch (method) {
    case "initialize":
      return result({
        protocolVersion: "2025-11-25",
        capabilities: { tools: {} },
        serverInfo: { name: "by-hand", version: "1.0.0" },
      });
    case "server/discover":
      return result({
        supportedVersions: ["2026-07-28"],
        capabilities: { tools: {} },
        ttlMs: 0,
        cacheScope: "private",
      });
    case "tools/list":
      return result({
        tools: server.tools.map((name) => ({ name, description: name, inputSchema: { type: "object" } })),
        ttlMs: 0,
        cacheScope: "private",
      });
    case "tools/call": {
      const { name, arguments: args } = positional(message.params);
      const text = await server.call(String(name), (args ?? {}) as Args, request);
      return result({ content: [{ type: "text", text: String(text ?? "ok") }] });
    }
    default:
      return { jsonrpc: "2.0", id, error: { code: -32601, message: "Method not found" } };
  }
}

/** JSON-RPC allows a list of params, and arguments came as JSON text from the first models. */
function positional(params: unknown): { name?: unknown; arguments?: unknown } {
  const { name, arguments: args } = Array.isArray(params)
    ? { name: params[0], arguments: params[1] }
    : ((params ?? {}) as { name?: unknown; arguments?: unknown });
  return { name, arguments: typeof args === "string" ? JSON.parse(args) : args };
}
