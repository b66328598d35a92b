import type { IncomingHttpHeaders } from "node:http";

/** What a client asks for by its upgrade request. */
export interface Request {
  /** An app id or `~subdomain`. */
  readonly appReference: string;
  /** An `Authorization` header's value, or undefined without a credential. */
  readonly authorization: string | undefined;
}

/** The sub-protocol under which browsers, which can't set headers, may send their token: `bearer, <token>`. */
export const BEARER_PROTOCOL = "bearer";

const PATH = /^\/v1\/((?:app_|~)[a-z0-9_-]{1,80})\/realtime\/?$/;

/** Whether a canonical URL is realtime's. Pure. */
export const isRealtimeUrl = (url: string): boolean => PATH.test(split(url)[0]);

/** Reads an upgrade request by its canonical URL; null if it is not one for realtime. Pure. */
export function readRequest(url: string, headers: IncomingHttpHeaders): Request | null {
  const [path, query] = split(url);
  const appReference = PATH.exec(path)?.[1];
  if (appReference === undefined) return null;
  return { appReference, authorization: headers.authorization || bearer(credential(headers, query)) };
}

function credential(headers: IncomingHttpHeaders, query: string): string {
  const offered = headers["sec-websocket-protocol"]?.split(",").map((protocol) => protocol.trim()) ?? [];
  const at = offered.indexOf(BEARER_PROTOCOL);
  return (at < 0 ? undefined : offered[at + 1]) || new URLSearchParams(query).get("token") || "";
}

const bearer = (token: string) => (token === "" ? undefined : `Bearer ${token}`);

function split(url: string): [path: string, query: string] {
  const at = url.indexOf("?");
  return at < 0 ? [url, ""] : [url.slice(0, at), url.slice(at + 1)];
}
