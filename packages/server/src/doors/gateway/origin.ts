import { mcpErrors } from "../mcp/errors.ts";
import { originAllowed } from "../mcp/origin.ts";
import type { GatewayDoorDeps } from "./types.ts";
import { sendEmpty, type Visit } from "./visit.ts";

const EXPOSED = "Mcp-Session-Id, WWW-Authenticate, X-Request-Id, Retry-After";
const METHODS = "POST, GET, DELETE";

/**
 * Decides over a request that a page makes (it has an `Origin`), and marks the answer so that the page may read it. True
 * when it was a preflight and has its answer. Throws AUTH_ORIGIN_FORBIDDEN for pages of other origins.
 */
export function answersPage(
  { publicUrl, trustedOrigins = [] }: Pick<GatewayDoorDeps, "publicUrl" | "trustedOrigins">,
  visit: Visit,
  origin: string,
): boolean {
  const { request, response } = visit;
  const own = { publicUrl: publicUrl(), localPort: request.socket.localPort, trustedOrigins };
  if (!originAllowed(origin, own)) throw mcpErrors.AUTH_ORIGIN_FORBIDDEN();
  response.setHeader("vary", "Origin");
  response.setHeader("access-control-allow-origin", origin);
  response.setHeader("access-control-expose-headers", EXPOSED);
  if (request.method !== "OPTIONS") return false;
  const asked = request.headers["access-control-request-headers"];
  sendEmpty(visit, 204, {
    "access-control-allow-methods": METHODS,
    "access-control-max-age": "600",
    ...(asked === undefined ? {} : { "access-control-allow-headers": asked }),
  });
  return true;
}
