import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { workerdErrors } from "../../engines/workerd/errors.ts";
import type { ActorClass } from "../../features/durable-objects/service.ts";
import { errors } from "../../kernel/errors.ts";
import { newUuid } from "../../kernel/ids.ts";
import type { App } from "../../kernel/operation.ts";
import { addressOf } from "../http/client-address.ts";
import { originAllowed } from "../http/cors.ts";
import { toAmbitError } from "../http/errors.ts";
import { userAnswerHeaders } from "../http/user-answer.ts";
import { refuseUpgrade } from "../websocket/refusal.ts";
import type { UpgradeLane } from "../websocket/upgrades.ts";
import {
  type ActorDoorDeps,
  type Admitted,
  admitCaller,
  createHostSuffix,
  findApp,
  findClass,
} from "./admission.ts";
import { type Credential, readCredential, withoutCredential } from "./credentials.ts";
import { exchangeFor, invocationOf } from "./exchange.ts";
import { limits } from "./limits.ts";
import { type ActorPath, isActorUrl, readActorUrl } from "./path.ts";
import type { ActorSocket, ActorSockets } from "./sockets.ts";

/** Serves WebSockets of `/v1/<app>/do/<class>/<instance>[/…]`. A refusal is an HTTP answer. */
export function createActorUpgradeLane(deps: ActorDoorDeps, sockets: ActorSockets): UpgradeLane {
  const hostSuffix = createHostSuffix(deps);
  const serve = async (
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    url: string,
    requestId: string,
  ) => {
    const admitted = await admit(deps, request, url);
    await deps.runtime.claimHome(admitted.app.id);
    refuseOverLimit(deps, sockets, admitted.app.id);
    if (!socket.destroyed)
      await connect(deps, sockets, hostSuffix(), admitted, request, socket, head, requestId);
  };
  return {
    matches: isActorUrl,
    handle(request, socket, head, url) {
      const requestId = newUuid();
      socket.on("error", () => {});
      serve(request, socket, head, url, requestId).catch((error) =>
        refuseUpgrade(socket, toAmbitError(error, deps.log, requestId), deps.publicUrl()),
      );
    },
  };
}

/** Decides over an upgrade request; throws the error to refuse it with. */
async function admit(deps: ActorDoorDeps, request: IncomingMessage, url: string): Promise<Admitted> {
  const { headers } = request;
  if (headers.upgrade?.toLowerCase() !== "websocket") {
    throw errors.REQUEST_ERROR({ message: "Only upgrades to websocket are known here." });
  }
  const target = readActorUrl(url);
  const app = await findApp(deps, target.appReference);
  refuseForeignPage(deps, request, app);
  const found = await findClass(deps, app, target.className);
  const ip = addressOf(request, deps.trustedProxies);
  const credential = readCredential(headers, target.query);
  const authorization = await authorizationOf(deps, found, target, credential);
  return await admitCaller(deps, { app, found, target, authorization, ip });
}

/** A page may connect from where the app lets pages call it, and from the app's own host name. */
function refuseForeignPage({ baseDomain }: ActorDoorDeps, { headers }: IncomingMessage, app: App): void {
  const { origin, host } = headers;
  if (origin === undefined || originAllowed(origin, app, baseDomain)) return;
  const own = URL.parse(origin)?.host === host?.toLowerCase();
  if (own && host?.toLowerCase().replace(/:\d+$/, "") === `${app.subdomain}.${baseDomain}`) return;
  throw errors.AUTH_INSUFFICIENT_PERMISSIONS({
    message: "Pages of this origin may not connect to the app.",
    remediation: "Add the origin to the app's allowed origins: PATCH /v1/<app_id>/config/cors.",
  });
}

async function authorizationOf(
  { actors }: ActorDoorDeps,
  found: ActorClass,
  { className, instance }: ActorPath,
  credential: Credential | null,
): Promise<string | undefined> {
  if (credential === null) return undefined;
  switch (credential.from) {
    case "header":
      return credential.authorization;
    case "ticket": {
      try {
        return `Bearer ${await actors.redeemTicket(found.appId, credential.ticket, { className, instance })}`;
      } catch (error) {
        // A class open to everyone may have tickets of its own.
        if (found.accessMode === "public") return undefined;
        throw error;
      }
    }
    default:
      return `Bearer ${credential.token}`;
  }
}

function refuseOverLimit({ metrics }: ActorDoorDeps, sockets: ActorSockets, appId: string): void {
  if (sockets.count < limits.sockets && sockets.countOf(appId) < limits.socketsPerApp) return;
  metrics.limitsHit.inc({ limit: "actor_sockets" });
  throw workerdErrors.RUNTIME_BUSY({
    message: `There are too many open sockets: at most ${limits.socketsPerApp} per app and ${limits.sockets} on this server.`,
    headers: { "Retry-After": "5" },
  });
}

/** Joins the client's socket to the instance, until one of them ends it or it may not stand any more. */
async function connect(
  deps: ActorDoorDeps,
  sockets: ActorSockets,
  hostSuffix: string,
  admitted: Admitted,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  requestId: string,
): Promise<void> {
  const { runtime, actors } = deps;
  // Throws where no code can run, before anything is counted.
  const { engine } = runtime;
  const { app, found, target, principal, authorization, ip } = admitted;
  const nowMs = deps.clock();
  const seen = withoutCredential(request.headers, target.query, principal.kind !== "anonymous");
  const shape = { requestId, query: seen.query, protocols: seen.protocols, body: null };
  const { exchange, ownHost } = exchangeFor(deps, hostSuffix, admitted, request, shape);
  const over = new AbortController();
  const entry: ActorSocket = {
    appId: app.id,
    className: found.name,
    principal,
    authorization,
    ip,
    end(reason) {
      over.abort(reason);
      setTimeout(() => socket.destroy(), limits.endMs).unref();
    },
  };
  sockets.add(entry);
  runtime.invocations.begin(invocationOf(admitted, exchange, nowMs));
  actors.saw(found.id, target.instance, nowMs);
  try {
    const outcome = await engine.upgrade(
      `${app.id}/actors`,
      { kind: "actor", unit: found.name },
      exchange,
      socket,
      head,
      {
        ...(seen.select === undefined ? {} : { selectProtocol: seen.select }),
        onHeaders: (_status, headers) => userAnswerHeaders(headers, { requestId, ownHost }),
        signal: over.signal,
      },
    );
    runtime.invocations.end(requestId, outcome);
    // The end of a conversation is activity too.
    actors.saw(found.id, target.instance, deps.clock());
  } finally {
    sockets.remove(entry);
  }
}
