import type { GatewayContext } from "./context.ts";
import type { Admission } from "./types.ts";

/** See `GatewayService.stillHolds`. */
export async function stillHolds(
  { grants, servers, platform }: GatewayContext,
  { grant: { id, serverId, rotation } }: Admission,
): Promise<boolean> {
  const grant = await grants.byId(id);
  if (grant === null || grant.serverId !== serverId || grant.rotation !== rotation) return false;
  if (grant.expiresAtMs !== null && grant.expiresAtMs <= platform.clock()) return false;
  return (await servers.find(serverId)) !== null;
}
