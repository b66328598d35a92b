import type { FastifyReply, FastifyRequest } from "fastify";
import type { App } from "../../kernel/operation.ts";
import { subdomainOf } from "./subdomain.ts";

const METHODS = "GET, POST, PUT, PATCH, DELETE, OPTIONS";
const REQUEST_HEADERS =
  "Authorization, Content-Type, Prefer, X-Organization-Id, X-Butterbase-As-User, X-Butterbase-As-Role, MCP-Protocol-Version, Mcp-Session-Id, Mcp-Method, Mcp-Name, Last-Event-ID";
const RESPONSE_HEADERS =
  "Content-Range, Retry-After, WWW-Authenticate, X-Request-Id, X-Ambit-Next-Cursor, X-Ambit-Default-Limit, Mcp-Session-Id";
const PREFLIGHT_AGE_S = "600";

/**
 * Whether a page of `origin` may read answers about this app. Pure.
 * With a list, only what is on it; without one, pages of this machine and pages on the base domain's names.
 */
export function originAllowed(
  origin: string,
  app: Pick<App, "allowedOrigins"> | null,
  baseDomain: string,
): boolean {
  if (!URL.canParse(origin)) return false;
  const { hostname } = new URL(origin);
  if (app !== null && app.allowedOrigins.length > 0) {
    return app.allowedOrigins.includes("*") || app.allowedOrigins.includes(origin);
  }
  return isLocal(hostname) || subdomainOf(hostname, baseDomain) !== null;
}

const isLocal = (hostname: string) =>
  hostname === "localhost" ||
  hostname.endsWith(".localhost") ||
  hostname === "127.0.0.1" ||
  hostname === "[::1]";

/**
 * The headers that let a page of `origin` read an answer about this app, none if it may not; with `preflight` also what
 * it may send, beside the usual the headers it `asked` for. Pure.
 */
export function corsHeaders(
  origin: string,
  app: Pick<App, "allowedOrigins"> | null,
  baseDomain: string,
  preflight: boolean,
  asked?: string,
): Record<string, string> {
  if (!originAllowed(origin, app, baseDomain)) return { vary: "Origin" };
  const headers = {
    vary: "Origin",
    "access-control-allow-origin": origin,
    "access-control-expose-headers": RESPONSE_HEADERS,
  };
  if (!preflight) return headers;
  return {
    ...headers,
    "access-control-allow-methods": METHODS,
    "access-control-allow-headers": asked === undefined ? REQUEST_HEADERS : `${REQUEST_HEADERS}, ${asked}`,
    "access-control-max-age": PREFLIGHT_AGE_S,
  };
}

/** Answers preflights and marks responses; credentials are bearer tokens, so cookies are never allowed. */
export async function applyCors(
  request: FastifyRequest,
  reply: FastifyReply,
  findApp: (reference: string) => Promise<App | null>,
  baseDomain: string,
): Promise<void> {
  const { origin } = request.headers;
  if (origin === undefined) return;
  const reference = /^\/(?:v1|auth|storage)\/((?:app_|~)[a-z0-9_-]+)/.exec(request.url)?.[1];
  const app = reference === undefined ? null : await findApp(reference).catch(() => null);
  const preflight = request.method === "OPTIONS";
  reply.headers(corsHeaders(origin, app, baseDomain, preflight));
  if (preflight) await reply.status(204).send();
}
