import type { IncomingMessage, ServerResponse } from "node:http";
import { workerdErrors } from "../../engines/workerd/errors.ts";
import { decideActorAccess } from "../../features/durable-objects/service.ts";
import { newUuid } from "../../kernel/ids.ts";
import type { HttpLane } from "../http/lanes.ts";
import { applyRawCors, sendRawError } from "../http/raw.ts";
import { userAnswerHeaders } from "../http/user-answer.ts";
import {
  type ActorDoorDeps,
  addressOf,
  createFace,
  type Face,
  findApp,
  findClass,
  refuseBlamed,
  resolveCaller,
} from "./admission.ts";
import { type Admitted, exchangeFor, invocationOf } from "./exchange.ts";
import { holdsPlatformKey, mayHoldPlatformKey } from "./headers.ts";
import { createInFlight } from "./in-flight.ts";
import { limits } from "./limits.ts";
import { isActorUrl, readActorUrl } from "./path.ts";
import { withoutParameters } from "./query.ts";

/** Serves `/v1/<app>/do/<class>/<instance>[/…]` over HTTP. */
export function createActorHttpLane(deps: ActorDoorDeps): HttpLane {
  const inFlight = createInFlight(limits.inFlightPerApp);
  const face = createFace(deps.publicUrl);
  const serve = async (
    request: IncomingMessage,
    response: ServerResponse,
    url: string,
    requestId: string,
  ) => {
    const admitted = await admit(deps, request, response, url);
    if (admitted === null) return;
    const { app } = admitted;
    await deps.runtime.claimHome(app.id);
    if (!inFlight.enter(app.id)) {
      deps.metrics.limitsHit.inc({ limit: "actor_requests_per_app" });
      throw workerdErrors.RUNTIME_BUSY({ headers: { "Retry-After": "1" } });
    }
    try {
      await forward(deps, face(), admitted, request, response, requestId);
    } finally {
      inFlight.leave(app.id);
    }
  };
  return {
    matches: isActorUrl,
    handle(request, response, url) {
      const requestId = newUuid();
      serve(request, response, url, requestId).catch((error) => {
        // What is still under way is let through unread, so that the answer can be sent.
        request.resume();
        sendRawError(response, error, requestId, deps.log, deps.publicUrl());
      });
    },
  };
}

/** Decides over a request; null when it was a preflight and has its answer. Throws the error to answer with. */
async function admit(
  deps: ActorDoorDeps,
  request: IncomingMessage,
  response: ServerResponse,
  url: string,
): Promise<Admitted | null> {
  const target = readActorUrl(url);
  const app = await findApp(deps, target.appReference);
  if (applyRawCors(request, response, app, deps.baseDomain)) return null;
  const found = await findClass(deps, app, target.className);
  const ip = addressOf(request, deps.trustedProxies);
  const { authorization } = request.headers;
  const principal = await resolveCaller(deps, found, app, authorization, ip);
  const refusal = decideActorAccess({
    accessMode: found.accessMode,
    principal,
    app,
    nowMs: deps.clock(),
  });
  if (refusal !== null) throw refusal;
  refuseBlamed(deps, found);
  return { app, found, target, principal, authorization, ip };
}

async function forward(
  deps: ActorDoorDeps,
  face: Face,
  admitted: Admitted,
  request: IncomingMessage,
  response: ServerResponse,
  requestId: string,
): Promise<void> {
  const { runtime, actors } = deps;
  const { app, found, target } = admitted;
  const nowMs = deps.clock();
  const { exchange, ownHost } = exchangeFor(deps, face, admitted, request, {
    requestId,
    query: withoutKeys(target.query),
    body: hasBody(request) ? request : null,
  });
  const { engine } = runtime;
  runtime.invocations.begin(invocationOf(admitted, exchange, nowMs));
  actors.saw(found.id, target.instance, nowMs);
  const outcome = await engine.forward(
    `${app.id}/actors`,
    { kind: "actor", unit: found.name },
    exchange,
    response,
    { onHeaders: (_status, headers) => userAnswerHeaders(headers, { requestId, ownHost }) },
  );
  runtime.invocations.end(requestId, outcome);
}

/** A key put into a URL by mistake stays outside user code. */
const withoutKeys = (query: string | null): string | null =>
  query !== null && mayHoldPlatformKey(query)
    ? withoutParameters(query, (_, value) => holdsPlatformKey(value))
    : query;

/** RFC 9112 §6: a request has a body when one of these says so. */
const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers["transfer-encoding"] !== undefined ||
  (headers["content-length"] !== undefined && headers["content-length"] !== "0");
