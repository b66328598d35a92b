import type { Platform } from "../../engines/platform.ts";
import { createLookup } from "../../kernel/cache.ts";
import type { GatewayServer } from "../gateway-servers/service.ts";
import { credentialErrors } from "./errors.ts";
import { limits } from "./limits.ts";
import type { OAuthPort } from "./oauth-client.ts";
import * as store from "./store.ts";
import type { Connection, GatewayCredentialsService, Tokens } from "./types.ts";

/** What is known of a connection, ready to be used. */
interface Ready {
  readonly row: store.ConnectionRow;
  readonly connection: Connection;
}

export interface Connections extends GatewayCredentialsService {
  /** A connection as it was made or renewed, to be stored. */
  rowOf(
    serverId: string,
    connection: Connection,
    atMs: number,
  ): { sealed: string; scope: string | null; expires_at: Date | null };
  ready(serverId: string): Promise<Ready | null>;
  forget(serverId: string): void;
}

const PURPOSE = "gateway-oauth";

/** The tokens in use: read through a cache, renewed under a lock that all nodes share. */
export function createConnections(
  platform: Platform,
  oauth: OAuthPort,
  urlOf: (serverId: string) => Promise<string | null>,
): Connections {
  const { database, secrets, clock, log } = platform;
  const renewals = platform.metrics.counter(
    "ambit_gateway_token_renewals_total",
    "Renewals of tokens for upstream servers by how they went.",
    ["outcome"],
  );
  const open = (row: store.ConnectionRow): Ready => ({
    row,
    connection: JSON.parse(secrets.open(PURPOSE, row.sealed, row.server_id)) as Connection,
  });
  const lookup = createLookup<Ready | null>(
    async (serverId) => {
      const row = await store.selectConnection(database, serverId);
      // A token belongs to the URL it was given for, and goes nowhere else.
      if (row === null || row.url !== (await urlOf(serverId))) return null;
      return open(row);
    },
    { maxAgeMs: limits.cacheMs },
  );
  const rowOf = (serverId: string, connection: Connection, atMs: number) => {
    const { expires_in, scope } = connection.tokens;
    return {
      sealed: secrets.seal(PURPOSE, JSON.stringify(connection), serverId),
      scope: scope ?? null,
      expires_at: expires_in === undefined ? null : new Date(atMs + expires_in * 1000),
    };
  };
  const renewed = ({ authority, client, grantType, tokens }: Connection): Promise<Tokens> | null => {
    if (grantType === "client_credentials")
      return oauth.clientCredentials(authority, client, tokens.scope ?? null);
    return tokens.refresh_token === undefined ? null : oauth.refresh(authority, client, tokens.refresh_token);
  };
  /** Renews unless somebody else just has; true when there is a token worth trying. */
  const renewNow = (serverId: string): Promise<boolean> =>
    database.transaction(async (tx) => {
      const row = await store.lockConnection(tx, serverId);
      if (row === null || row.url !== (await urlOf(serverId))) return false;
      if (clock() - row.renewed_at.getTime() < limits.freshMs) return true;
      const { connection } = open(row);
      try {
        const tokens = await renewed(connection);
        if (tokens === null) return false;
        const kept = { ...connection, tokens: { refresh_token: connection.tokens.refresh_token, ...tokens } };
        await store.updateTokens(tx, serverId, { ...rowOf(serverId, kept, clock()), at: new Date(clock()) });
        renewals.inc({ outcome: "renewed" });
        return true;
      } catch (error) {
        renewals.inc({ outcome: "failed" });
        const problem = error instanceof Error ? error.message.slice(0, 500) : "unknown";
        log.warn({ serverId, problem }, "a token for an upstream server could not be renewed");
        await store.updateProblem(tx, serverId, problem);
        return false;
      }
    });
  const underWay = new Map<string, Promise<boolean>>();
  const renew = (serverId: string): Promise<boolean> => {
    const running = underWay.get(serverId);
    if (running !== undefined) return running;
    const renewal = renewNow(serverId).finally(() => {
      underWay.delete(serverId);
      lookup.forget(serverId);
    });
    underWay.set(serverId, renewal);
    return renewal;
  };
  const bearer = ({ connection }: Ready) => ({ authorization: `Bearer ${connection.tokens.access_token}` });
  const endsBefore = ({ row }: Ready, ms: number) =>
    row.expires_at !== null && row.expires_at.getTime() <= ms;
  return {
    rowOf,
    ready: (serverId) => lookup.get(serverId),
    forget: (serverId) => lookup.forget(serverId),
    async headersOf({ id }: GatewayServer) {
      const ready = lookup.peek(id) ?? (await lookup.get(id));
      if (ready === null) return {};
      if (!endsBefore(ready, clock() + limits.renewBeforeMs)) return bearer(ready);
      await renew(id);
      const now = await lookup.get(id);
      if (now === null) return {};
      if (!endsBefore(now, clock())) return bearer(now);
      throw credentialErrors.GATEWAY_OAUTH_FAILED({
        message: "The token for this server has expired and could not be renewed.",
        remediation: "Have a person connect the server again: POST /v1/gateway/servers/<id>/oauth/connect.",
      });
    },
    renew: ({ id }) => renew(id),
  };
}
