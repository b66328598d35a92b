import type { IncomingMessage, ServerResponse } from "node:http";
import { workerdErrors } from "../../engines/workerd/errors.ts";
import { newUuid } from "../../kernel/ids.ts";
import { addressOf } from "../http/client-address.ts";
import { createInFlight } from "../http/in-flight.ts";
import type { HttpLane } from "../http/lanes.ts";
import { applyRawCors, sendRawError } from "../http/raw.ts";
import { userAnswerHeaders } from "../http/user-answer.ts";
import { withoutKeys } from "../http/user-request.ts";
import {
  type ActorDoorDeps,
  type Admitted,
  admitCaller,
  createHostSuffix,
  findApp,
  findClass,
} from "./admission.ts";
import { exchangeFor, invocationOf } from "./exchange.ts";
import { limits } from "./limits.ts";
import { isActorUrl, readActorUrl } from "./path.ts";

/** Serves `/v1/<app>/do/<class>/<instance>[/…]` over HTTP. */
export function createActorHttpLane(deps: ActorDoorDeps): HttpLane {
  const inFlight = createInFlight(limits.inFlightPerApp);
  const hostSuffix = createHostSuffix(deps);
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
      await forward(deps, hostSuffix(), admitted, request, response, requestId);
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
  return await admitCaller(deps, { app, found, target, authorization, ip });
}

async function forward(
  deps: ActorDoorDeps,
  hostSuffix: string,
  admitted: Admitted,
  request: IncomingMessage,
  response: ServerResponse,
  requestId: string,
): Promise<void> {
  const { runtime, actors } = deps;
  const { app, found, target } = admitted;
  const nowMs = deps.clock();
  const { exchange, ownHost } = exchangeFor(deps, hostSuffix, admitted, request, {
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

/** RFC 9112 §6: a request has a body when one of these says so. */
const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers["transfer-encoding"] !== undefined ||
  (headers["content-length"] !== undefined && headers["content-length"] !== "0");
