import type { IncomingMessage, ServerResponse } from "node:http";
import type { Log } from "../../kernel/log.ts";
import type { App } from "../../kernel/operation.ts";
import { corsHeaders } from "./cors.ts";
import { toAmbitError } from "./errors.ts";

/** CORS for a lane: marks the answer, and answers a preflight; true if that was one. */
export function applyRawCors(
  request: IncomingMessage,
  response: ServerResponse,
  app: Pick<App, "allowedOrigins"> | null,
  baseDomain: string,
): boolean {
  const { origin } = request.headers;
  if (origin === undefined) return false;
  const asked = request.headers["access-control-request-headers"];
  const preflight =
    request.method === "OPTIONS" && request.headers["access-control-request-method"] !== undefined;
  const headers = corsHeaders(origin, app, baseDomain, preflight, asked);
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  if (!preflight) return false;
  response.writeHead(204).end();
  return true;
}

/** Sends an error in the one body form; does nothing but cut the answer off when it has begun. */
export function sendRawError(
  response: ServerResponse,
  error: unknown,
  requestId: string,
  log: Log,
  publicUrl: string,
): void {
  const known = toAmbitError(error, log, requestId);
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const body = JSON.stringify(known.toBody(publicUrl));
  response.writeHead(known.status, {
    "content-type": "application/json; charset=utf-8",
    "content-length": Buffer.byteLength(body),
    "x-request-id": requestId,
    "x-content-type-options": "nosniff",
    ...(known.status === 401 ? { "www-authenticate": 'Bearer realm="ambit"' } : {}),
    ...known.headers,
  });
  response.end(body);
}
