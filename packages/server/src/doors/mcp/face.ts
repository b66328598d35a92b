import type { IncomingHttpHeaders } from "node:http";
import { type NodeMcpRequestHandler, toNodeHandler } from "@modelcontextprotocol/node";
import { createMcpHandler, ProtocolErrorCode, SdkError, SdkErrorCode } from "@modelcontextprotocol/server";
import type { FastifyReply, FastifyRequest } from "fastify";
import { MessageRefusal } from "./body.ts";
import type { Caller } from "./caller.ts";
import type { Toolset } from "./catalogue.ts";
import type { McpDoorDeps } from "./deps.ts";
import { answerPlain, type PlainAnswer, plainRequest } from "./exchange.ts";
import { limits } from "./limits.ts";
import { createSessionFactory, type SessionFactory } from "./session.ts";

/** One way to offer the operations, ready to serve POST requests. */
export interface Face {
  serve(caller: Caller, request: FastifyRequest, reply: FastifyReply): Promise<unknown>;
  /**
   * The same for a message that came another way, as the gateway's do; aborting `signal` ends the exchange. A plain
   * request's answer is one text, anything else a response of the SDK's.
   */
  exchange(
    caller: Caller,
    headers: IncomingHttpHeaders,
    message: unknown,
    signal: AbortSignal,
  ): Promise<PlainAnswer | Response>;
  /** Ends the open streams. */
  close(): Promise<void>;
}

/**
 * Serves a toolset in every protocol revision. Plain requests take the short way: one session, one JSON body.
 * Everything else (notifications, streams, methods this server doesn't have, malformed messages) goes to the SDK's own
 * handler, which knows what the specification asks for.
 */
export function createFace(deps: McpDoorDeps, toolset: Toolset): Face {
  const session = createSessionFactory(deps, toolset);
  const handler = createMcpHandler(({ authInfo }) => session(authInfo?.extra?.caller as Caller), {
    maxSubscriptions: limits.subscriptions,
    keepAliveMs: limits.keepAliveMs,
    onerror: (error) => deps.log.debug({ problem: error.message }, "MCP message refused"),
  });
  const serveOther = toNodeHandler(handler);
  return {
    async serve(caller, request, reply) {
      if (request.body === undefined) {
        throw new MessageRefusal(ProtocolErrorCode.ParseError, "Parse error: the body is empty");
      }
      const plain = plainRequest(request.headers, request.body);
      if (plain === null) return handOver(serveOther, caller, request, reply);
      return servePlain(session, plain, caller, reply);
    },
    async exchange(caller, headers, message, signal) {
      const plain = plainRequest(headers, message);
      if (plain !== null) {
        const gone = (close: () => void) =>
          signal.aborted ? close() : signal.addEventListener("abort", close, { once: true });
        return answerPlain(session(caller), plain, gone);
      }
      const request = new Request(new URL("/mcp", deps.publicUrl()), {
        method: "POST",
        headers: Object.entries(headers).filter(
          (entry): entry is [string, string] => typeof entry[1] === "string",
        ),
        signal,
      });
      return handler.fetch(request, { authInfo: authOf(caller), parsedBody: message });
    },
    close: () => handler.close(),
  };
}

async function servePlain(
  session: SessionFactory,
  plain: NonNullable<ReturnType<typeof plainRequest>>,
  caller: Caller,
  reply: FastifyReply,
): Promise<unknown> {
  try {
    // A client that is gone already closes nothing any more.
    const gone = (close: () => void) => (reply.raw.destroyed ? close() : reply.raw.once("close", close));
    const answer = await answerPlain(session(caller), plain, gone);
    return reply
      .status(answer.status)
      .type("application/json")
      .header("cache-control", "no-store")
      .send(answer.body);
  } catch (error) {
    if (error instanceof SdkError && error.code === SdkErrorCode.ConnectionClosed) return reply.hijack();
    throw error;
  }
}

/** How the SDK carries the caller to the session it makes. */
const authOf = (caller: Caller) => ({ token: "", clientId: "", scopes: ["mcp"], extra: { caller } });

async function handOver(
  handler: NodeMcpRequestHandler,
  caller: Caller,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  reply.hijack();
  for (const [name, value] of Object.entries(reply.getHeaders())) {
    if (value !== undefined) reply.raw.setHeader(name, value);
  }
  const incoming = {
    method: "POST",
    url: request.url,
    headers: request.headers,
    auth: authOf(caller),
    // The body is parsed already; nothing is left to read.
    async *[Symbol.asyncIterator]() {},
  };
  await handler(incoming, reply.raw, request.body);
}
