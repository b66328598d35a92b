import type { FastifyInstance, FastifyRequest } from "fastify";
import { errors } from "../../kernel/errors.ts";
import { limits as kernelLimits } from "../../kernel/limits.ts";
import { jsonRpcError, parseMessage, SERVER_ERROR } from "./body.ts";
import type { Caller } from "./caller.ts";
import type { Catalogue } from "./catalogue.ts";
import type { McpDoorDeps } from "./deps.ts";
import { createFace, type Face } from "./face.ts";
import { checkOrigin, resolveCaller, sendFailure } from "./guard.ts";
import { METADATA_PATH, resourceMetadata } from "./metadata.ts";

export { type BuiltinServers, createBuiltinServers } from "./builtin.ts";
export { buildCatalogue, type Catalogue } from "./catalogue.ts";
export type { McpDoorDeps } from "./deps.ts";
export { mcpErrors } from "./errors.ts";

const CALLER = "mcpCaller";

/**
 * Mounts the MCP endpoint: POST /mcp for every protocol revision (stateless for the older ones too), GET and DELETE as
 * clients of those expect, and the OAuth protected resource metadata. `/mcp?tools=verbs` offers one tool per operation
 * instead of the `manage_*` tools.
 */
export function registerMcpRoutes(fastify: FastifyInstance, deps: McpDoorDeps, catalogue: Catalogue): void {
  const merged = createFace(deps, catalogue.merged);
  const verbs = createFace(deps, catalogue.verbs);
  fastify.register(async (scope) => {
    scope.decorateRequest(CALLER, null);
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser<Buffer>(
      "application/json",
      { parseAs: "buffer", bodyLimit: kernelLimits.bodyBytes },
      async (_request: FastifyRequest, bytes: Buffer) => parseMessage(bytes),
    );
    scope.setErrorHandler((error, request, reply) => sendFailure(deps, error, request, reply));
    scope.addHook("preClose", async () => {
      await Promise.all([merged.close(), verbs.close()]);
    });
    const onRequest = async (request: FastifyRequest) => checkOrigin(deps, request);
    // The stateless door has no stream for a client to listen on (2025-11-25, Streamable HTTP).
    scope.get("/mcp", { onRequest }, (_request, reply) =>
      reply
        .status(405)
        .header("allow", "POST, DELETE")
        .send(jsonRpcError(SERVER_ERROR, "Method not allowed.")),
    );
    // There is no session to end; ending none is done at once.
    scope.delete("/mcp", { onRequest }, (_request, reply) => reply.status(200).send());
    scope.post("/mcp", {
      onRequest: async (request) => {
        checkOrigin(deps, request);
        request.setDecorator(CALLER, await resolveCaller(deps, request));
      },
      handler: (request, reply) =>
        chooseFace(request, merged, verbs).serve(request.getDecorator<Caller>(CALLER), request, reply),
    });
    for (const path of [METADATA_PATH, `${METADATA_PATH}/mcp`]) {
      scope.get(path, async () => resourceMetadata(deps.publicUrl()));
    }
  });
}

function chooseFace(request: FastifyRequest, merged: Face, verbs: Face): Face {
  const { tools } = request.query as { tools?: unknown };
  if (tools === undefined) return merged;
  if (tools === "verbs") return verbs;
  throw errors.REQUEST_ERROR({
    message: "The query parameter tools has only one value: verbs.",
    remediation: "Use /mcp for the manage_* tools or /mcp?tools=verbs for one tool per operation.",
  });
}
