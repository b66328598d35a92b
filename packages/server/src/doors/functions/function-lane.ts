import type { IncomingMessage, ServerResponse } from "node:http";
import type { OnHeaders, Outcome } from "../../engines/workerd/types.ts";
import {
  type AppFunctions,
  decideInvoke,
  type FunctionCall,
  type FunctionRoute,
  functionErrors,
  timedOut,
} from "../../features/functions/service.ts";
import { AmbitError, errors } from "../../kernel/errors.ts";
import { newUuid } from "../../kernel/ids.ts";
import { limits as kernelLimits } from "../../kernel/limits.ts";
import { ANONYMOUS, type Principal } from "../../kernel/principal.ts";
import { addressOf } from "../http/client-address.ts";
import type { HttpLane } from "../http/lanes.ts";
import { applyRawCors, sendRawError } from "../http/raw.ts";
import { userAnswerHeaders } from "../http/user-answer.ts";
import { userRequestHeaders } from "../http/user-request.ts";
import { streamedBody } from "./body.ts";
import type { FunctionDoorDeps } from "./deps.ts";
import { type FunctionUrl, isUnder, readUrl, restWithoutKeys } from "./url.ts";

/**
 * Any method on `/v1/<app>/fn/<name>[/…]`, and `/fn/<name>[/…]` on the app's own host name. With everything known
 * already a request goes to user code without a promise in between.
 */
export function createFunctionLane(deps: FunctionDoorDeps): HttpLane {
  return {
    matches: (url) => isUnder(url, "fn"),
    handle(request, response, url) {
      const refuse = (error: unknown) => sendRawError(response, error, newUuid(), deps.log, deps.publicUrl());
      try {
        if (url.length > kernelLimits.urlChars) throw tooLong();
        const named = readUrl(url, "fn");
        if (named === null) throw functionErrors.FUNCTION_NOT_FOUND();
        const visit: Visit = { request, response, named, ownHost: url !== request.url };
        const functions = deps.functions.peek(named.reference);
        if (functions !== undefined && request.headers.authorization === undefined) {
          admitAndRun(deps, visit, routeOf(deps, visit, functions), ANONYMOUS);
        } else answerLater(deps, visit, functions).catch(refuse);
      } catch (error) {
        refuse(error);
      }
    },
  };
}

interface Visit {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly named: FunctionUrl;
  /** On the app's own host name, which it shares with nobody. */
  readonly ownHost: boolean;
}

async function answerLater(
  deps: FunctionDoorDeps,
  visit: Visit,
  known: AppFunctions | null | undefined,
): Promise<void> {
  const functions = known === undefined ? await deps.functions.find(visit.named.reference) : known;
  const route = routeOf(deps, visit, functions);
  if (route === null) return;
  admitAndRun(deps, visit, route, await callerOf(deps, visit, route));
}

/** The function the URL names; null when a preflight has been answered. @throws RESOURCE_NOT_FOUND, FUNCTION_NOT_FOUND */
function routeOf(
  { baseDomain }: FunctionDoorDeps,
  { request, response, named }: Visit,
  functions: AppFunctions | null,
): FunctionRoute | null {
  if (request.headers.origin !== undefined) {
    if (applyRawCors(request, response, functions?.app ?? null, baseDomain)) return null;
  }
  if (functions === null) throw noSuchApp(named.reference);
  const route = functions.byName.get(named.name);
  if (route === undefined || route.http === null) throw functionErrors.FUNCTION_NOT_FOUND();
  return route;
}

/**
 * Who calls. A function open to all may have credentials of its own in the header: only what is ours is read there.
 * @throws AUTH_*
 */
async function callerOf(
  deps: FunctionDoorDeps,
  { request }: Visit,
  { http, app }: FunctionRoute,
): Promise<Principal> {
  const { authorization } = request.headers;
  const resolve = () => deps.resolvePrincipal(authorization, app.id, addressOf(request, deps.trustedProxies));
  if (http !== "none" || authorization === undefined || /^bearer\s+bb_/i.test(authorization))
    return resolve();
  return resolve().catch((error) => {
    if (error instanceof AmbitError && error.status === 401) return ANONYMOUS;
    throw error;
  });
}

function admitAndRun(
  deps: FunctionDoorDeps,
  visit: Visit,
  route: FunctionRoute | null,
  principal: Principal,
): void {
  if (route === null) return;
  const { request, response, named } = visit;
  const asUser = request.headers["x-butterbase-as-user"];
  const decision = decideInvoke({
    auth: route.http!,
    principal,
    app: route.app,
    asUser: Array.isArray(asUser) ? asUser[0] : asUser,
    allowImpersonation: route.allowsImpersonation,
    nowMs: deps.clock(),
  });
  if ("refusal" in decision) throw decision.refusal;
  const refuse = (error: unknown) => sendRawError(response, error, newUuid(), deps.log, deps.publicUrl());
  run(deps, visit, {
    route,
    trigger: "http",
    principal: decision.principal,
    key: decision.key,
    internalCaller: null,
    loopDepth: 0,
    verbose: decision.developer,
    ip: addressOf(request, deps.trustedProxies),
    method: request.method ?? "GET",
    path: `/fn/${named.name}${restWithoutKeys(named.rest)}`,
    headers: userRequestHeaders(request.rawHeaders, { host: route.host, ownHost: visit.ownHost }),
    body: streamedBody(request, response, refuse),
  });
}

function run(deps: FunctionDoorDeps, { response, ownHost }: Visit, call: FunctionCall): void {
  const { route } = call;
  const { calls } = deps.functions;
  const { engine } = deps.runtime;
  const exchange = calls.open(call, false);
  const { requestId } = exchange;
  const startedAt = performance.now();
  let timedOutAt: number | null = null;
  const timer = setTimeout(() => {
    timedOutAt = performance.now() - startedAt;
    sendTimeout(deps, response, route, requestId, timedOutAt);
  }, route.timeoutMs);
  const onHeaders: OnHeaders = (_status, headers) => userAnswerHeaders(headers, { requestId, ownHost });
  engine.forward(route.key, route.target, exchange, response, { onHeaders }).then(
    (outcome) => {
      clearTimeout(timer);
      calls.finish(
        route,
        requestId,
        timedOutAt === null ? outcome : { ...outcome, status: outcome.status || 504, end: "timeout" },
      );
    },
    (error) => {
      clearTimeout(timer);
      calls.finish(route, requestId, LOST);
      sendRawError(response, error, requestId, deps.log, deps.publicUrl());
    },
  );
}

const LOST: Outcome = {
  status: 0,
  durationMs: 0,
  bytesIn: 0,
  bytesOut: 0,
  end: "process_lost",
  waiting: false,
};

/** The error body, and beside it the fields that clients of the compatible API read. */
function sendTimeout(
  { publicUrl }: FunctionDoorDeps,
  response: ServerResponse,
  route: FunctionRoute,
  requestId: string,
  durationMs: number,
): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const error = timedOut(route, durationMs);
  const body = JSON.stringify({
    ...error.toBody(publicUrl()),
    message: error.message,
    duration_ms: Math.round(durationMs),
  });
  response.writeHead(error.status, {
    "content-type": "application/json; charset=utf-8",
    "content-length": Buffer.byteLength(body),
    "x-content-type-options": "nosniff",
    "x-request-id": requestId,
    connection: "close",
  });
  response.end(body);
}

const noSuchApp = (reference: string) =>
  errors.RESOURCE_NOT_FOUND({ message: `There is no app ${reference.slice(0, 80)}.` });

const tooLong = () =>
  errors.REQUEST_ERROR({ message: `The URL is longer than ${kernelLimits.urlChars} characters.` });
