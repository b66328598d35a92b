import type { IncomingHttpHeaders } from "node:http";
import { queryValue, withoutParameters } from "../http/query.ts";
import { holdsPlatformKey } from "../http/user-request.ts";
import { BEARER_PROTOCOL } from "../websocket/handshake.ts";

/** With what a WebSocket client says who it is; the first that is there, in this order. */
export type Credential =
  | { readonly from: "header"; readonly authorization: string }
  | { readonly from: "protocol"; readonly token: string }
  | { readonly from: "ticket"; readonly ticket: string }
  | { readonly from: "token"; readonly token: string };

/** The credential of an upgrade request, or null. Pure. */
export function readCredential(headers: IncomingHttpHeaders, query: string | null): Credential | null {
  if (headers.authorization) return { from: "header", authorization: headers.authorization };
  const offered = protocolsOf(headers);
  const token = offered[offered.indexOf(BEARER_PROTOCOL) + 1];
  if (offered.includes(BEARER_PROTOCOL) && token !== undefined) return { from: "protocol", token };
  const ticket = queryValue(query, "ticket");
  if (ticket) return { from: "ticket", ticket };
  const parameter = queryValue(query, "token");
  return parameter ? { from: "token", token: parameter } : null;
}

/** What user code sees of an upgrade request's sub-protocols and query. */
export interface Seen {
  /** undefined: as the client sent them. */
  readonly protocols: readonly string[] | undefined;
  readonly query: string | null;
  /** What to select when user code selects nothing: a browser that offered it insists. */
  readonly select: string | undefined;
}

/**
 * Takes the credential out of what user code sees. A class open to everyone may do its own log-in with the same
 * words: what was no credential of Ambit's (`accepted` false) stays, but for platform keys. Pure.
 */
export function withoutCredential(
  headers: IncomingHttpHeaders,
  query: string | null,
  accepted: boolean,
): Seen {
  const offered = protocolsOf(headers);
  const at = offered.indexOf(BEARER_PROTOCOL);
  const bearer = at >= 0 && (accepted || holdsPlatformKey(offered[at + 1] ?? ""));
  const others = bearer ? offered.filter((_, i) => i !== at && i !== at + 1) : offered;
  const kept = others.filter((protocol) => !holdsPlatformKey(protocol));
  return {
    protocols: kept.length === offered.length ? undefined : kept,
    query: withoutParameters(
      query,
      (name, value) => holdsPlatformKey(value) || (accepted && (name === "token" || name === "ticket")),
    ),
    select: bearer ? BEARER_PROTOCOL : undefined,
  };
}

const protocolsOf = (headers: IncomingHttpHeaders): string[] =>
  headers["sec-websocket-protocol"]
    ?.split(",")
    .map((protocol) => protocol.trim())
    .filter((protocol) => protocol !== "") ?? [];
