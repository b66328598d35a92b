import { actorHeaders, RESERVED_PREFIXES } from "../../engines/workerd/headers.ts";
import type { Principal } from "../../kernel/principal.ts";

/** What a request's headers become on their way to user code. */
export interface RequestHeaderOptions {
  readonly requestId: string;
  readonly principal: Principal;
  /** The app's own host name, whichever door the request came through. */
  readonly host: string;
  readonly scheme: "http" | "https";
  /** The caller's address. */
  readonly ip: string;
  /** Whether cookies are the app's own: the request came to its own host name. */
  readonly ownHost: boolean;
  /** Replaces the sub-protocols a WebSocket client offers; undefined leaves them. */
  readonly protocols?: readonly string[] | undefined;
}

/** A connection's own (RFC 9110 §7.6.1), and what only we say to user code. */
const DROPPED = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "proxy-authenticate",
  "proxy-authorization",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "expect",
  "host",
  "x-request-id",
  // Anyone can write these; user code takes them for what a proxy vouches for.
  "forwarded",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-proto",
  "x-forwarded-port",
  "x-real-ip",
  "true-client-ip",
]);
/** Names only Ambit may say to user code; `cf-` is what classes written for Cloudflare trust. */
const isReserved = (name: string): boolean =>
  name.startsWith("x-")
    ? RESERVED_PREFIXES.some((prefix) => name.startsWith(prefix))
    : name.startsWith("cf-");

/** Platform keys; whatever carries one stays outside user code. */
const PLATFORM_KEY = /\bbb_(?:sk|sub)_/;
export const holdsPlatformKey = (text: string): boolean => PLATFORM_KEY.test(text);
/** False when no decoding of the query can hold a platform key; quick. */
export const mayHoldPlatformKey = (query: string): boolean => query.includes("bb_") || query.includes("%");

/**
 * The headers user code is given: what outsiders may not say is removed, what is verified is added. Pure; `raw` and the
 * answer are flat lists of names and values.
 */
export function requestHeaders(raw: readonly string[], options: RequestHeaderOptions): string[] {
  const headers: string[] = ["host", options.host];
  const named = connectionNames(raw);
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i]!.toLowerCase();
    const value = raw[i + 1]!;
    if (DROPPED.has(name) || isReserved(name) || named?.has(name)) continue;
    if (name === "authorization" && holdsPlatformKey(value)) continue;
    if (name === "cookie" && !options.ownHost) continue;
    if (name === "sec-websocket-protocol" && options.protocols !== undefined) continue;
    headers.push(name, value);
  }
  if (options.protocols !== undefined && options.protocols.length > 0)
    headers.push("sec-websocket-protocol", options.protocols.join(", "));
  headers.push("x-request-id", options.requestId);
  headers.push("x-forwarded-for", options.ip, "x-forwarded-proto", options.scheme);
  headers.push("cf-connecting-ip", options.ip);
  addIdentity(headers, options.principal);
  return headers;
}

function addIdentity(headers: string[], principal: Principal): void {
  switch (principal.kind) {
    case "anonymous":
      headers.push(actorHeaders.callerType, "anonymous");
      return;
    case "user":
      headers.push(actorHeaders.callerType, "end_user_jwt", actorHeaders.callerUser, principal.userId);
      return;
    case "key":
      headers.push(actorHeaders.callerType, "service_key", actorHeaders.callerKey, principal.keyId);
  }
}

/** Headers that `Connection` says are this connection's own. */
function connectionNames(raw: readonly string[]): Set<string> | null {
  let names: Set<string> | null = null;
  for (let i = 0; i + 1 < raw.length; i += 2) {
    if (raw[i]!.length !== 10 || raw[i]!.toLowerCase() !== "connection") continue;
    const value = raw[i + 1]!.toLowerCase();
    if (value === "keep-alive" || value === "close" || value === "upgrade") continue;
    names ??= new Set();
    for (const name of value.split(",")) names.add(name.trim());
  }
  return names;
}
