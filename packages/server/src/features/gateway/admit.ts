import type { RateLimit } from "../../kernel/rate-limit.ts";
import type { Grant } from "../gateway-grants/service.ts";
import type { CurrentPolicy } from "../gateway-policies/service.ts";
import { BUILTIN, type GatewayServer } from "../gateway-servers/service.ts";
import type { GatewayContext } from "./context.ts";
import { gatewayErrors } from "./errors.ts";
import { limits } from "./limits.ts";
import type { Admission } from "./types.ts";

/** See `GatewayService.admit`. */
export async function admit(
  context: GatewayContext,
  wrongTokens: RateLimit,
  authorization: string | undefined,
  serverRef: string,
  ip: string,
): Promise<Admission> {
  if (authorization === undefined || authorization === "") throw invalid();
  const token = tokenOf(authorization);
  const grant = token === null ? null : await context.grants.resolve(token, context.platform.clock());
  const server = grant === null ? null : await context.servers.find(grant.serverId);
  if (grant === null || server === null || !isOf(grant, server) || !names(serverRef, server)) {
    await wrongTokens.consume(ip);
    throw invalid();
  }
  return { grant, server, policy: await policyOf(context, grant, server) };
}

/** The grant's policy as it holds now; null when it has none, or it is another server's. */
export async function policyOf(
  { policies }: GatewayContext,
  grant: Grant,
  server: GatewayServer,
): Promise<CurrentPolicy | null> {
  if (grant.policyId === null) return null;
  const policy = await policies.current(grant.policyId);
  return policy?.serverId === server.id ? policy : null;
}

const isOf = (grant: Grant, server: GatewayServer) => grant.organizationId === server.organizationId;

const names = (reference: string, server: GatewayServer) =>
  reference === server.id ||
  reference.toLowerCase() === server.id ||
  (server.face !== null && reference === BUILTIN[server.face]);

/** The grant token of a `Bearer` header (RFC 9110: the scheme in any case), or null. Pure. */
function tokenOf(authorization: string): string | null {
  if (authorization.length > limits.tokenChars || !/^bearer /i.test(authorization)) return null;
  const token = authorization.slice(7).trim();
  return token.startsWith("amb_gr_") ? token : null;
}

const invalid = () =>
  gatewayErrors.GATEWAY_GRANT_INVALID({ headers: { "WWW-Authenticate": 'Bearer realm="ambit gateway"' } });
