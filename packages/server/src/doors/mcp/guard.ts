import { ProtocolErrorCode } from "@modelcontextprotocol/server";
import type { FastifyReply, FastifyRequest } from "fastify";
import { AmbitError, errors } from "../../kernel/errors.ts";
import { limits as kernelLimits } from "../../kernel/limits.ts";
import { jsonRpcError, MessageRefusal, SERVER_ERROR } from "./body.ts";
import type { Caller } from "./caller.ts";
import type { McpDoorDeps } from "./deps.ts";
import { mcpErrors } from "./errors.ts";
import { limits } from "./limits.ts";
import { challenge } from "./metadata.ts";
import { originAllowed } from "./origin.ts";

/** Throws AUTH_ORIGIN_FORBIDDEN for a request that a foreign page makes. */
export function checkOrigin(deps: McpDoorDeps, request: FastifyRequest): void {
  const own = {
    publicUrl: deps.publicUrl(),
    localPort: request.socket.localPort,
    trustedOrigins: deps.trustedOrigins ?? [],
  };
  if (!originAllowed(request.headers.origin, own)) throw mcpErrors.AUTH_ORIGIN_FORBIDDEN();
}

/** Who calls; decided before the body is read. Throws AUTH_* for everyone without a good key. */
export async function resolveCaller(deps: McpDoorDeps, request: FastifyRequest): Promise<Caller> {
  const principal = await deps.resolvePrincipal(request.headers.authorization, null, request.ip);
  if (principal.kind === "anonymous") throw errors.AUTH_REQUIRED();
  return {
    principal,
    requestId: request.id,
    ip: request.ip,
    userAgent: (request.headers["user-agent"] ?? "").slice(0, limits.userAgentChars),
    nowMs: deps.clock(),
  };
}

/** Answers a request that never reached a session: our error body for AMBIT errors, JSON-RPC errors for messages. */
export function sendFailure(
  deps: McpDoorDeps,
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  if (error instanceof AmbitError) {
    if (error.status === 401) reply.header("www-authenticate", challenge(deps.publicUrl(), error.code));
    return reply.status(error.status).headers(error.headers).send(error.toBody(deps.publicUrl()));
  }
  if (error instanceof MessageRefusal)
    return reply.status(error.status).send(jsonRpcError(error.code, error.message));
  switch ((error as { code?: unknown }).code) {
    case "FST_ERR_CTP_BODY_TOO_LARGE": {
      const message = `Payload Too Large: a message may have ${kernelLimits.bodyBytes} bytes`;
      return reply.status(413).send(jsonRpcError(SERVER_ERROR, message));
    }
    case "FST_ERR_CTP_INVALID_MEDIA_TYPE": {
      const message = "Unsupported Media Type: Content-Type must be application/json";
      return reply.status(415).send(jsonRpcError(SERVER_ERROR, message));
    }
    case "FST_ERR_CTP_INVALID_CONTENT_LENGTH":
      return reply
        .status(400)
        .send(jsonRpcError(ProtocolErrorCode.ParseError, "Parse error: the body is cut short"));
  }
  deps.log.error({ err: error, requestId: request.id }, "unexpected error in the MCP door");
  const message = `Internal error (request ${request.id})`;
  return reply.status(500).send(jsonRpcError(ProtocolErrorCode.InternalError, message));
}
