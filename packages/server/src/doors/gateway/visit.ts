import type { IncomingMessage, ServerResponse } from "node:http";
import { AmbitError } from "../../kernel/errors.ts";
import type { Log } from "../../kernel/log.ts";
import { toAmbitError } from "../http/errors.ts";
import { challenge } from "../mcp/metadata.ts";
import { CODES } from "./codes.ts";
import type { RequestId } from "./message.ts";
import type { GatewayTarget } from "./url.ts";

/** One HTTP request at a proxy URL. */
export interface Visit {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly requestId: string;
  readonly target: GatewayTarget;
  readonly ip: string;
}

type Headers = Record<string, string>;

/** What every answer of the door says of itself. */
export function commonHeaders({ requestId }: Visit): Headers {
  return {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "x-request-id": requestId,
  };
}

/** Answers with JSON text; does nothing when there is an answer, or nobody to get it. */
export function sendJson(visit: Visit, status: number, text: string, more?: Headers): void {
  const { response } = visit;
  if (response.headersSent || response.destroyed) return;
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(text),
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "x-request-id": visit.requestId,
    ...more,
  });
  response.end(text);
}

/** Answers without a body. */
export function sendEmpty(visit: Visit, status: number, more?: Headers): void {
  const { response } = visit;
  if (response.headersSent || response.destroyed) return;
  response.writeHead(status, { ...commonHeaders(visit), "content-length": "0", ...more });
  response.end();
}

/** A JSON-RPC error as text. `data` is left out when undefined. */
export const rpcError = (id: RequestId | null, code: number, message: string, data?: unknown): string =>
  JSON.stringify({ jsonrpc: "2.0", id, error: { code, message, ...(data === undefined ? {} : { data }) } });

/** A JSON-RPC result as text; `result` is JSON text already. */
export const rpcResult = (id: RequestId, result: string): string =>
  `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":${result}}`;

/** What a client is told of an error that came instead of a verdict or a record: its own message only where it is meant for callers. */
export function internalError(id: RequestId | null, error: unknown, requestId: string): string {
  const message = error instanceof AmbitError ? error.message : `Internal error (request ${requestId})`;
  return rpcError(id, CODES.internal, message);
}

/** Answers with an error of ours in the one body form; a 401 says how to authenticate (RFC 6750 §3, RFC 9728 §5.1). */
export function sendAmbitError(
  visit: Visit,
  error: unknown,
  { log, publicUrl }: { readonly log: Log; publicUrl(): string },
): void {
  const { request, response, requestId } = visit;
  // What is still under way is let through unread, so that the answer can be sent.
  request.resume();
  const known = toAmbitError(error, log, requestId);
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const headers: Headers = {};
  for (const [name, value] of Object.entries(known.headers)) headers[name.toLowerCase()] = value;
  if (known.status === 401) {
    const code = request.headers.authorization === undefined ? "AUTH_REQUIRED" : known.code;
    headers["www-authenticate"] = challenge(publicUrl(), code);
  }
  sendJson(visit, known.status, JSON.stringify(known.toBody(publicUrl())), headers);
}
