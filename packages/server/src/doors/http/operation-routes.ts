import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { AmbitError, errors } from "../../kernel/errors.ts";
import { HttpReply } from "../../kernel/http-reply.ts";
import { limits } from "../../kernel/limits.ts";
import type { AnyOperation, App, Call, HttpForm } from "../../kernel/operation.ts";
import type { Pipeline } from "../../kernel/pipeline.ts";
import { ANONYMOUS, type Principal } from "../../kernel/principal.ts";
import type { ResolvePrincipal } from "../principal.ts";

export interface OperationRouteDeps {
  readonly operations: readonly AnyOperation[];
  readonly pipeline: Pipeline;
  readonly resolvePrincipal: ResolvePrincipal;
  findApp(reference: string): Promise<App | null>;
  clock(): number;
}

/** Who calls, as far as the headers and the path tell. */
interface Caller {
  readonly principal: Principal;
  readonly principalProblem?: AmbitError;
}

const CALLER = "operationCaller";

/** One route for every HTTP form of every operation. Who calls is known before a body is read. */
export function registerOperationRoutes(fastify: FastifyInstance, deps: OperationRouteDeps): void {
  fastify.decorateRequest(CALLER, null);
  for (const operation of deps.operations) {
    const forms = operation.http === undefined ? [] : [operation.http].flat();
    for (const form of forms) {
      fastify.route({
        method: form.method,
        url: form.path,
        bodyLimit: operation.right === "public" ? limits.publicBodyBytes : limits.bodyBytes,
        onRequest: async (request) => request.setDecorator(CALLER, await callerOf(deps, operation, request)),
        handler: (request, reply) => handle(deps, operation, form, request, reply),
      });
    }
  }
}

async function handle(
  deps: OperationRouteDeps,
  operation: AnyOperation,
  form: HttpForm,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<unknown> {
  const input = inputOf(form, request);
  const call = callOf(deps, request, reply);
  const output = await deps.pipeline(operation, call, input);
  if (output instanceof HttpReply)
    return reply.status(output.status).headers(output.headers).send(output.body);
  const body = form.present === undefined ? output : form.present(output as never);
  const status = typeof form.status === "function" ? form.status(output as never) : (form.status ?? 200);
  return reply.status(status).send(body);
}

/** Path parameters win over the body, the body over the query: a path decides what a call is about. */
function inputOf(form: HttpForm, request: FastifyRequest): Record<string, unknown> {
  // Without a prototype, `__proto__` is a field like any other: what it holds can't pass for fields the caller sent.
  const input: Record<string, unknown> = Object.assign(Object.create(null), request.query);
  const body = request.body;
  if (form.bodyAs !== undefined) input[form.bodyAs] = body;
  else if (body !== undefined && body !== null) {
    if (typeof body !== "object" || Array.isArray(body)) {
      throw errors.VALIDATION_INVALID_SCHEMA({ message: "The body must be a JSON object." });
    }
    for (const [name, value] of Object.entries(body)) {
      const field = form.rename?.[name] ?? name;
      if (field === name || !(field in body)) input[field] = value;
    }
  }
  return Object.assign(input, request.params);
}

function callOf(deps: OperationRouteDeps, request: FastifyRequest, reply: FastifyReply): Call {
  const gone = new AbortController();
  // A client that is gone already closes nothing any more.
  if (reply.raw.destroyed) gone.abort();
  reply.raw.once("close", () => {
    if (!reply.raw.writableFinished) gone.abort();
  });
  return {
    ...request.getDecorator<Caller>(CALLER),
    door: "http" as const,
    requestId: request.id,
    ip: request.ip,
    userAgent: (request.headers["user-agent"] ?? "").slice(0, 300),
    headers: request.headers,
    nowMs: deps.clock(),
    signal: gone.signal,
  };
}

/** Throws AUTH_* for a bad credential, and for none where one is needed. */
async function callerOf(
  deps: OperationRouteDeps,
  operation: AnyOperation,
  request: FastifyRequest,
): Promise<Caller> {
  const { app_id: named } = request.params as { app_id?: string };
  const reference = operation.scope === "app" ? (named ?? null) : null;
  const appId = reference?.startsWith("~") ? ((await deps.findApp(reference))?.id ?? null) : reference;
  try {
    const principal = await deps.resolvePrincipal(request.headers.authorization, appId, request.ip);
    if (principal.kind === "anonymous" && operation.right !== "public") throw errors.AUTH_REQUIRED();
    return { principal };
  } catch (problem) {
    // Clients send whatever token they still hold, also to log in: what is open to everyone stays open.
    if (operation.right !== "public" || !(problem instanceof AmbitError)) throw problem;
    return { principal: ANONYMOUS, principalProblem: problem };
  }
}
