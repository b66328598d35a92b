import { errors } from "../kernel/errors.ts";
import { ANONYMOUS, type KeyPrincipal, type Principal, type UserPrincipal } from "../kernel/principal.ts";
import type { RateLimit } from "../kernel/rate-limit.ts";

/** What telling who calls needs from the features. */
export interface PrincipalPorts {
  resolveKey(token: string): Promise<KeyPrincipal | null>;
  verifyAccessToken(appId: string, token: string): Promise<UserPrincipal>;
  /** Bounds how many bad keys an address may try. */
  badKeys: RateLimit;
}

/** Who is behind an `Authorization` header; `appId` is the app the request names, whose users may call. */
export type ResolvePrincipal = (
  authorization: string | undefined,
  appId: string | null,
  ip: string,
) => Promise<Principal>;

/** Makes the one resolver every door uses. Throws AUTH_* for a credential that is present and bad. */
export function createPrincipalResolver(ports: PrincipalPorts): ResolvePrincipal {
  return async (authorization, appId, ip) => {
    if (authorization === undefined || authorization === "") return ANONYMOUS;
    const token = bearerToken(authorization);
    if (token.startsWith("bb_sk_") || token.startsWith("bb_sub_")) return resolveKey(ports, token, ip);
    if (token.split(".").length !== 3 || appId === null) throw errors.AUTH_INVALID_TOKEN();
    return ports.verifyAccessToken(appId, token);
  };
}

/** The token of a `Bearer` header; the scheme is matched as RFC 9110 says, without regard to case. */
function bearerToken(authorization: string): string {
  const space = authorization.indexOf(" ");
  if (space === -1 || authorization.slice(0, space).toLowerCase() !== "bearer") {
    throw errors.AUTH_INVALID_TOKEN({
      message: "The Authorization header is not a bearer token.",
      remediation: "Send `Authorization: Bearer <key or access token>`.",
    });
  }
  return authorization.slice(space + 1).trim();
}

async function resolveKey(ports: PrincipalPorts, token: string, ip: string): Promise<Principal> {
  const principal = await ports.resolveKey(token);
  if (principal !== null) return principal;
  // Only bad keys are turned away: behind one address there may be many callers, and the others' keys are good.
  await ports.badKeys.consume(ip);
  throw errors.AUTH_INVALID_API_KEY();
}
