import { type NodeMcpRequestHandler, toNodeHandler } from "@modelcontextprotocol/node";
import { createMcpHandler, ProtocolErrorCode, SdkError, SdkErrorCode } from "@modelcontextprotocol/server";
import type { FastifyReply, FastifyRequest } from "fastify";
import { MessageRefusal } from "./body.ts";
import type { Caller } from "./caller.ts";
import type { Toolset } from "./catalogue.ts";
import type { McpDoorDeps } from "./deps.ts";
import { answerPlain, plainRequest } from "./exchange.ts";
import { limits } from "./limits.ts";
import { createSessionFactory, type SessionFactory } from "./session.ts";

/** One way to offer the operations, ready to serve POST requests. */
export interface Face {
  serve(caller: Caller, request: FastifyRequest, reply: FastifyReply): Promise<unknown>;
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
    auth: { token: "", clientId: "", scopes: ["mcp"], extra: { caller } },
    // The body is parsed already; nothing is left to read.
    async *[Symbol.asyncIterator]() {},
  };
  await handler(incoming, reply.raw, request.body);
}
