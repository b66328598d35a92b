import type { IncomingMessage } from "node:http";
import {
  type ActorClass,
  type DurableObjectsService,
  decideActorAccess,
  hasLapsed,
  refuseBlamed,
} from "../../features/durable-objects/service.ts";
import type { RuntimeService } from "../../features/runtime/service.ts";
import { hostSuffix } from "../../kernel/app-host.ts";
import type { Clock } from "../../kernel/clock.ts";
import { AmbitError, errors, pausedError } from "../../kernel/errors.ts";
import type { Log } from "../../kernel/log.ts";
import type { Metrics } from "../../kernel/metrics.ts";
import type { App } from "../../kernel/operation.ts";
import { ANONYMOUS, type Principal } from "../../kernel/principal.ts";
import { subdomainOf } from "../http/subdomain.ts";
import type { ResolvePrincipal } from "../principal.ts";
import type { ActorPath } from "./path.ts";

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
  /** Sees to it that this node hears at once of sessions that end on others, until the returned function is called. */
  hold(): () => void;
  /** What other nodes told may have been missed. */
  onGap(listener: () => void): void;
}

/** The app a URL names; throws RESOURCE_NOT_FOUND. */
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

/** A request that may go to user code, and for whom. */
export interface Admitted {
  readonly app: App;
  readonly found: ActorClass;
  readonly target: ActorPath;
  readonly principal: Principal;
  readonly authorization: string | undefined;
  readonly ip: string;
}

/** Decides whether the caller may reach the class now; throws the error to refuse them with. */
export async function admitCaller(
  deps: ActorDoorDeps,
  asked: Pick<Admitted, "app" | "found" | "target" | "authorization" | "ip">,
): Promise<Admitted> {
  const { app, found, authorization, ip } = asked;
  const principal = await resolveCaller(deps, found, app, authorization, ip);
  const { accessMode } = found;
  const refusal = decideActorAccess({ accessMode, principal, app, nowMs: deps.clock() });
  if (refusal !== null) throw refusal;
  refuseBlamed(deps.runtime, deps.clock, found);
  return { ...asked, principal };
}

/**
 * Who calls. For a class that is open to everyone a credential that is none of ours is the class's own business: the
 * caller counts as anonymous.
 */
async function resolveCaller(
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

/** Whether the request came to the app's own host name; another app's is as foreign as the API's. */
export const isOwnHost = (request: IncomingMessage, app: App, baseDomain: string): boolean =>
  subdomainOf(request.headers.host, baseDomain) === app.subdomain;

/** What follows the subdomain in apps' own host names; the server's URL is taken apart once per URL. */
export function createHostSuffix({
  baseDomain,
  publicUrl,
}: Pick<ActorDoorDeps, "baseDomain" | "publicUrl">): () => string {
  let known: { url: string; suffix: string } | undefined;
  return () => {
    const url = publicUrl();
    if (known?.url !== url) known = { url, suffix: hostSuffix({ baseDomain, publicUrl: url }) };
    return known.suffix;
  };
}
