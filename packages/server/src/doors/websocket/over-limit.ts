import type { Clients } from "./clients.ts";
import type { Holder } from "./holders.ts";
import { limits } from "./limits.ts";
import { type Ending, tooMany } from "./standing.ts";

const PER_HOLDER = {
  user: {
    most: limits.connectionsPerUser,
    limit: "realtime_connections_per_user",
    whose: "this user",
    remediation:
      "Close connections that are not used any more, and share one between the parts of a program.",
  },
  key: {
    most: limits.connectionsPerKey,
    limit: "realtime_connections_per_key",
    whose: "this key",
    remediation:
      "Share one connection between subscriptions, or let end users connect with tokens of their own.",
  },
  anonymous: {
    most: limits.connectionsPerAddress,
    limit: "realtime_connections_per_address",
    whose: "callers without a credential at this address",
    remediation:
      "Connect with access tokens. Behind a proxy, tell the server how many it may trust, so that it knows the callers' own addresses.",
  },
} as const;

/** Which limit one more connection would break; null for none. Tells `onLimit` its name. */
export function overLimit(
  appId: string,
  holder: Holder,
  clients: Pick<Clients, "count" | "countOf" | "countOfHolder">,
  onLimit: (limit: string) => void,
): Ending | null {
  if (clients.count >= limits.connections) {
    onLimit("realtime_connections");
    return tooMany(
      `Realtime connection limit reached for this server (${limits.connections}). Try again later.`,
      "Connect again after a pause that grows with each attempt, or add a server.",
    );
  }
  if (clients.countOf(appId) >= limits.connectionsPerApp) {
    onLimit("realtime_connections_per_app");
    return tooMany(
      `Realtime listener limit reached for this app (${limits.connectionsPerApp}). Try again later.`,
      "Connect again after a pause that grows with each attempt, or add a server.",
    );
  }
  const { most, limit, whose, remediation } = PER_HOLDER[holder.holderKind];
  if (clients.countOfHolder(appId, holder) < most) return null;
  onLimit(limit);
  return tooMany(`Realtime connection limit reached for ${whose} (${most}). Try again later.`, remediation);
}
