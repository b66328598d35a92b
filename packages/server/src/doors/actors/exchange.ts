import type { IncomingMessage } from "node:http";
import type { Exchange } from "../../engines/workerd/types.ts";
import type { Invocation } from "../../features/runtime/service.ts";
import { type ActorDoorDeps, type Admitted, isOwnHost } from "./admission.ts";
import { requestHeaders } from "./headers.ts";

/** What of a request differs between the two lanes. */
export interface Shape {
  readonly requestId: string;
  /** As user code sees it. */
  readonly query: string | null;
  readonly protocols?: readonly string[] | undefined;
  readonly body: IncomingMessage | null;
}

/** The request as user code gets it. `ownHost`: it came to the app's own host name. */
export function exchangeFor(
  { baseDomain }: ActorDoorDeps,
  hostSuffix: string,
  { app, target, principal, ip }: Admitted,
  request: IncomingMessage,
  { requestId, query, protocols, body }: Shape,
): { exchange: Exchange; ownHost: boolean } {
  const ownHost = isOwnHost(request, app, baseDomain);
  const exchange: Exchange = {
    requestId,
    method: request.method ?? "GET",
    path: query === null ? target.path : `${target.path}?${query}`,
    headers: requestHeaders(request.rawHeaders, {
      requestId,
      principal,
      host: `${app.subdomain}${hostSuffix}`,
      ip,
      ownHost,
      protocols,
    }),
    body,
    timeoutMs: null,
  };
  return { exchange, ownHost };
}

/** The invocation behind an exchange: with its id user code calls back as this caller. */
export const invocationOf = (
  { app, found, target, principal }: Admitted,
  { requestId, method }: Exchange,
  startedAtMs: number,
): Invocation => ({
  requestId,
  appId: app.id,
  kind: "actors",
  unit: found.name,
  principal,
  internalCaller: null,
  loopDepth: 0,
  mayUseService: false,
  trigger: "actor",
  method,
  path: target.path,
  startedAtMs,
  endedAtMs: null,
});
