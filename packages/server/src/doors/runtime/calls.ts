import type { IncomingMessage, ServerResponse } from "node:http";
import { pipeline } from "node:stream";
import { actorHeaders } from "../../engines/workerd/headers.ts";
import type { DurableObjectsService } from "../../features/durable-objects/service.ts";
import { type FunctionsService, functionErrors } from "../../features/functions/service.ts";
import type { RuntimeService } from "../../features/runtime/service.ts";
import { errors } from "../../kernel/errors.ts";
import type { App } from "../../kernel/operation.ts";
import type { Authority } from "./authority.ts";
import { callHeaders } from "./call-headers.ts";
import { limits } from "./limits.ts";

export interface CallDeps {
  readonly runtime: RuntimeService;
  readonly functions: FunctionsService;
  readonly actors: Pick<DurableObjectsService, "find" | "call">;
}

/** A call from user code to other code of its app. It needs no public route; the caller at the outside stays who it is. */
export interface InternalCall {
  readonly app: App;
  readonly authority: Authority;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/** @throws LOOP_DEPTH_EXCEEDED */
function deeper({ loopDepth }: Authority): number {
  if (loopDepth >= limits.loopDepth)
    throw functionErrors.LOOP_DEPTH_EXCEEDED({ details: { loop_depth: loopDepth } });
  return loopDepth + 1;
}

/** `ANY /fn/<name>[/rest]` */
export async function callFunction(
  { functions }: CallDeps,
  call: InternalCall,
  name: string,
  rest: string,
): Promise<void> {
  const { app, authority, request, response } = call;
  const loopDepth = deeper(authority);
  const route = (await functions.find(app.id))?.byName.get(name);
  if (route === undefined)
    throw functionErrors.FUNCTION_NOT_FOUND({ details: { function: name.slice(0, 100) } });
  const { principal } = authority;
  const gone = goneSignal(response);
  const answer = await functions.calls.run(
    {
      route,
      trigger: "internal",
      principal,
      key: principal.kind === "key" ? principal : null,
      internalCaller: authority.unit,
      loopDepth,
      verbose: principal.kind === "key",
      ip: null,
      method: request.method ?? "POST",
      path: `/fn/${name}${rest}`,
      headers: callHeaders(request.rawHeaders, route.host),
      body: bodyOf(request),
    },
    gone,
  );
  send(response, answer.status, answer.headers, answer.body);
}

/** `ANY /do/<class>/<instance>[/rest]`; `path` is all of it but `/do`. */
export async function callActor(
  { actors }: CallDeps,
  call: InternalCall,
  host: string,
  target: { className: string; instance: string; path: string },
): Promise<void> {
  const { app, authority, request, response } = call;
  const loopDepth = deeper(authority);
  const found = await actors.find(app.id, target.className);
  if (found === null) {
    throw errors.RESOURCE_NOT_FOUND({
      message: `unknown DO: the app has no Durable Object class ${target.className.slice(0, 80)} that serves.`,
    });
  }
  const answer = await actors.call(
    {
      actor: found,
      instance: target.instance,
      principal: authority.principal,
      internalCaller: authority.unit,
      loopDepth,
      method: request.method ?? "POST",
      path: `/_do${target.path}`,
      headers: [...callHeaders(request.rawHeaders, host), ...identityHeaders(authority, loopDepth)],
      body: bodyOf(request),
      timeoutMs: limits.actorCallMs,
    },
    goneSignal(response),
  );
  send(response, answer.status, answer.headers, answer.body);
}

/** Who called at the outside, and who calls now. */
function identityHeaders({ principal, unit, kind }: Authority, loopDepth: number): string[] {
  const headers = [actorHeaders.internalCaller, unit, actorHeaders.loopDepth, String(loopDepth)];
  if (principal.kind === "user") headers.push(actorHeaders.callerUser, principal.userId);
  if (principal.kind === "key") headers.push(actorHeaders.callerKey, principal.keyId);
  headers.push(actorHeaders.callerType, kind === "functions" ? "function" : "actor");
  return headers;
}

const bodyOf = (request: IncomingMessage): IncomingMessage | null =>
  request.headers["transfer-encoding"] !== undefined || Number(request.headers["content-length"] ?? 0) > 0
    ? request
    : null;

/** Aborts when the code that asked has gone before its answer was complete. */
export function goneSignal(response: ServerResponse): AbortSignal {
  const gone = new AbortController();
  if (response.destroyed) gone.abort();
  response.once("close", () => {
    if (!response.writableFinished) gone.abort();
  });
  return gone.signal;
}

function send(
  response: ServerResponse,
  status: number,
  headers: readonly string[],
  body: NodeJS.ReadableStream,
): void {
  response.writeHead(status, headers as string[]);
  pipeline(body, response, () => {});
}
