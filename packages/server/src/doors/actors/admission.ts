import type { IncomingMessage } from "node:http";
import { workerdErrors } from "../../engines/workerd/errors.ts";
import {
  type ActorClass,
  type DurableObjectsService,
  decideActorAccess,
  hasLapsed,
} from "../../features/durable-objects/service.ts";
import type { RuntimeService } from "../../features/runtime/service.ts";
import type { Clock } from "../../kernel/clock.ts";
import { AmbitError, errors, pausedError } from "../../kernel/errors.ts";
import type { Log } from "../../kernel/log.ts";
import type { Metrics } from "../../kernel/metrics.ts";
import type { App } from "../../kernel/operation.ts";
import { ANONYMOUS, type Principal } from "../../kernel/principal.ts";
import { subdomainOf } from "../http/subdomain.ts";
import type { ResolvePrincipal } from "../principal.ts";
import { clientAddress } from "../websocket/handshake.ts";

export interface ActorDoorDeps {
  readonly actors: DurableObjectsService;
  readonly runtime: RuntimeService;
  readonly resolvePrincipal: ResolvePrincipal;
  readonly baseDomain: string;
  /** How many proxies in front may be believed about the caller's address. */
  readonly trustedProxies: number;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly log: Log;
  publicUrl(): string;
  findApp(reference: string): Promise<App | null>;
  /** An app was paused, changed or deleted on this node. */
  onAppChanged(listener: (appId: string) => void): void;
  /** A key was revoked on this node. */
  onKeyRevoked(listener: () => void): void;
  /** An end user's session was ended, on this node or another. */
  onSessionEnded(listener: (sessionId: string) => void): void;
  /** What other nodes told may have been missed. */
  onGap(listener: () => void): void;
}

/** The app a URL names; throws RESOURCE_NOT_FOUND, or APP_PAUSED. */
export async function findApp(deps: ActorDoorDeps, reference: string): Promise<App> {
  const app = await deps.findApp(reference);
  if (app !== null) return app;
  throw errors.RESOURCE_NOT_FOUND({
    message: `There is no app ${reference.slice(0, 80)}.`,
    remediation: "Use the id or the subdomain of an app that exists.",
  });
}

/** The class a URL names, if it serves and the app does; throws RESOURCE_NOT_FOUND or APP_PAUSED. */
export async function findClass(deps: ActorDoorDeps, app: App, name: string): Promise<ActorClass> {
  if (app.paused) throw pausedError(app.pausedReason);
  const found = await deps.actors.find(app.id, name);
  if (found !== null) return found;
  throw errors.RESOURCE_NOT_FOUND({
    message: `unknown DO: the app has no Durable Object class ${name.slice(0, 80)} that serves.`,
    remediation: "Deploy it (manage_durable_objects action deploy), or correct the name in the URL.",
  });
}

/**
 * Who calls. For a class that is open to everyone a credential that is none of ours is the class's own business: the
 * caller counts as anonymous.
 */
export async function resolveCaller(
  deps: ActorDoorDeps,
  { accessMode }: ActorClass,
  app: App,
  authorization: string | undefined,
  ip: string,
): Promise<Principal> {
  if (authorization === undefined || authorization === "") return ANONYMOUS;
  try {
    return await deps.resolvePrincipal(authorization, app.id, ip);
  } catch (error) {
    if (accessMode === "public" && error instanceof AmbitError && error.status === 401) return ANONYMOUS;
    throw error;
  }
}

/** Throws RUNTIME_UNAVAILABLE for a class that has lately brought the app's process down over and over. */
export function refuseBlamed({ runtime, clock }: ActorDoorDeps, { appId, name }: ActorClass): void {
  const blame = runtime.blamed(appId, "actors", name);
  if (blame === null) return;
  const seconds = Math.max(1, Math.ceil((blame.untilMs - clock()) / 1_000));
  throw workerdErrors.RUNTIME_UNAVAILABLE({
    message: `The class ${name} is not run for now: ${blame.reason}`,
    remediation:
      "The developer finds what it did in its logs, and has it run again by deploying a corrected version.",
    headers: { "Retry-After": String(seconds) },
  });
}

/** Why the caller may not be connected to the class (any more), or null. Pure. */
export function standing(
  app: App | null,
  found: ActorClass | null,
  principal: Principal,
  nowMs: number,
): AmbitError | null {
  if (app === null) return errors.RESOURCE_NOT_FOUND({ message: "The app was deleted." });
  if (app.paused) return pausedError(app.pausedReason);
  if (found === null) return errors.RESOURCE_NOT_FOUND({ message: "The class was deleted." });
  if (hasLapsed(principal, nowMs))
    return errors.AUTH_INVALID_TOKEN({ message: "The credential has expired." });
  return decideActorAccess({ accessMode: found.accessMode, principal, app, nowMs });
}

export function addressOf(request: IncomingMessage, trustedProxies: number): string {
  const remote = request.socket.remoteAddress ?? "";
  const forwardedFor = request.headers["x-forwarded-for"];
  return clientAddress(
    remote,
    Array.isArray(forwardedFor) ? forwardedFor.join(",") : forwardedFor,
    trustedProxies,
  );
}

/** Whether the request came to the app's own host name; another app's is as foreign as the API's. */
export const isOwnHost = (request: IncomingMessage, app: App, baseDomain: string): boolean =>
  subdomainOf(request.headers.host, baseDomain) === app.subdomain;

/** The public face of the server, taken apart once per URL. */
export interface Face {
  readonly scheme: "http" | "https";
  /** `:4000`, or empty. */
  readonly port: string;
}

export function createFace(publicUrl: () => string): () => Face {
  let known: { url: string; face: Face } | undefined;
  return () => {
    const url = publicUrl();
    if (known?.url !== url) {
      const { protocol, port } = new URL(url);
      const face: Face = {
        scheme: protocol === "https:" ? "https" : "http",
        port: port === "" ? "" : `:${port}`,
      };
      known = { url, face };
    }
    return known.face;
  };
}
