import type { IncomingMessage } from "node:http";
import fastifyFactory, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import { errors } from "../../kernel/errors.ts";
import { newUuid } from "../../kernel/ids.ts";
import { limits } from "../../kernel/limits.ts";
import type { Log } from "../../kernel/log.ts";
import type { App } from "../../kernel/operation.ts";
import { parseJson, readText } from "./body.ts";
import { applyCors } from "./cors.ts";
import { sendError } from "./errors.ts";
import { createLaneServer, type HttpLane } from "./lanes.ts";
import { rewriteUrl } from "./subdomain.ts";

export interface HttpServerOptions {
  readonly log: Log;
  readonly baseDomain: string;
  /** How many proxies in front may be believed about the caller's address. */
  readonly trustedProxies: number;
  publicUrl(): string;
  findApp(reference: string): Promise<App | null>;
  /** Doors that take their requests before the router sees them. */
  lanes?(): readonly HttpLane[];
}

/** The HTTP server with everything that is the same for every route: bodies, CORS, errors, limits. */
export function createHttpServer(options: HttpServerOptions): FastifyInstance {
  const fastify = fastifyFactory({
    logger: false,
    serverFactory: (next) =>
      createLaneServer(
        {
          lanes: () => options.lanes?.() ?? [],
          canonicalUrl: (request) => rewriteUrl(request.url ?? "/", request.headers.host, options.baseDomain),
          requestTimeoutMs: limits.requestMs,
        },
        next,
      ),
    bodyLimit: limits.bodyBytes,
    requestTimeout: limits.requestMs,
    trustProxy: (_address, hop) => hop < options.trustedProxies,
    genReqId: () => newUuid(),
    forceCloseConnections: "idle",
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 500 },
    rewriteUrl: (request) => rewriteUrl(request.url ?? "/", request.headers.host, options.baseDomain),
  });
  acceptBodies(fastify);
  // Every request comes through here: without a page's origin nothing is waited for.
  fastify.addHook("onRequest", (request, reply, done) => {
    reply.header("x-request-id", request.id);
    reply.header("x-content-type-options", "nosniff");
    const problem = urlProblem(request.url);
    if (problem !== null) done(errors.REQUEST_ERROR({ message: problem }));
    else if (request.headers.origin === undefined) done();
    else {
      applyCors(request, reply, options.findApp, options.baseDomain).then(
        // A preflight has its answer already.
        () => reply.sent || done(),
        done,
      );
    }
  });
  fastify.addHook("onResponse", (request, reply, done) => {
    if (options.log.isLevelEnabled("debug")) logRequest(options.log, request, reply);
    done();
  });
  fastify.setErrorHandler((error, request, reply) =>
    sendError(error, request, reply, options.log, options.publicUrl()),
  );
  fastify.setNotFoundHandler((request, reply) => {
    const path = request.url.split("?", 1)[0]!.slice(0, 200);
    const notFound = errors.RESOURCE_NOT_FOUND({
      message: `There is no ${request.method} ${path}.`,
      remediation: "GET /openapi.json lists every route.",
    });
    return sendError(notFound, request, reply, options.log, options.publicUrl());
  });
  return fastify;
}

function urlProblem(url: string): string | null {
  if (url.length > limits.urlChars) return `The URL is longer than ${limits.urlChars} characters.`;
  return url.split("?", 1)[0]!.includes("%00") ? "The path contains a null character." : null;
}

/** The path without its query: queries may carry tokens. */
function logRequest(log: Log, request: FastifyRequest, reply: FastifyReply): void {
  const path = request.url.split("?", 1)[0];
  const ms = Math.round(reply.elapsedTime);
  log.debug({ id: request.id, method: request.method, path, status: reply.statusCode, ms }, "request");
}

/** JSON bodies, also empty ones and ones without a content type; forms for the OAuth callback that posts one. */
function acceptBodies(fastify: FastifyInstance): void {
  const text = (request: FastifyRequest, payload: IncomingMessage) =>
    readText(request, payload, request.routeOptions.bodyLimit ?? limits.bodyBytes);
  fastify.removeContentTypeParser(["application/json", "text/plain"]);
  fastify.addContentTypeParser(
    /^application\/(.+\+)?json/,
    async (request: FastifyRequest, payload: IncomingMessage) => parseJson(await text(request, payload)),
  );
  fastify.addContentTypeParser(
    "application/x-www-form-urlencoded",
    async (request: FastifyRequest, payload: IncomingMessage) => {
      const body = await text(request, payload);
      // curl -d says "form" whatever it sends.
      return /^\s*[[{]/.test(body) ? parseJson(body) : Object.fromEntries(new URLSearchParams(body));
    },
  );
  fastify.addContentTypeParser("*", async (request: FastifyRequest, payload: IncomingMessage) => {
    const body = await text(request, payload);
    if (body === "" || request.headers["content-type"] === undefined) return parseJson(body);
    throw errors.REQUEST_ERROR({
      message: "The body has a content type this server does not read.",
      remediation: "Send JSON with Content-Type: application/json.",
    });
  });
}
