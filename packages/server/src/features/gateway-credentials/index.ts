import type { Platform } from "../../engines/platform.ts";
import { errors } from "../../kernel/errors.ts";
import type { GuardedFetch } from "../../kernel/guarded-fetch.ts";
import type { Feature } from "../../kernel/operation.ts";
import { createTicker } from "../../kernel/ticker.ts";
import type { GatewayServersService } from "../gateway-servers/service.ts";
import { createConnections } from "./connections.ts";
import { credentialErrors } from "./errors.ts";
import { createCredentialFlow } from "./flow.ts";
import { limits } from "./limits.ts";
import { createOAuthPort } from "./oauth-client.ts";
import { credentialOperations } from "./operations.ts";
import * as store from "./store.ts";
import type { ConnectionView, GatewayCredentialsService } from "./types.ts";

export interface CredentialsDeps {
  readonly fetch: GuardedFetch;
  readonly servers: Pick<GatewayServersService, "find"> & {
    /** Where a server over HTTP is; null for others. */
    urlOf(serverId: string): Promise<string | null>;
  };
}

const NOT_CONNECTED: ConnectionView = {
  ...{ connected: false, grant_type: null, issuer: null, client_id: null, scope: null },
  ...{ expires_at: null, connected_at: null, problem: null },
};

/** OAuth towards upstream MCP servers: consent by a person, tokens sealed and renewed. */
export function createGatewayCredentials(
  platform: Platform,
  { fetch, servers }: CredentialsDeps,
): { feature: Feature; service: GatewayCredentialsService } {
  const { database, clock, log } = platform;
  const oauth = createOAuthPort(fetch);
  const connections = createConnections(platform, oauth, (id) => servers.urlOf(id));
  const pruning = createTicker({
    name: "gateway.credentials.prune",
    everyMs: limits.pruneEveryMs,
    log,
    run: () => store.pruneStarts(database, new Date(clock())),
  });
  const operations = credentialOperations({
    flow: createCredentialFlow(platform, oauth, connections),
    async serverOf({ organizationId }, serverId) {
      const server = await servers.find(serverId);
      if (server?.organizationId !== organizationId) {
        throw errors.RESOURCE_NOT_FOUND({ message: "There is no such server." });
      }
      const url = await servers.urlOf(server.id);
      if (url === null) throw credentialErrors.GATEWAY_OAUTH_UNSUPPORTED();
      return { server, url };
    },
    async view(serverId) {
      connections.forget(serverId);
      const ready = await connections.ready(serverId);
      if (ready === null) return NOT_CONNECTED;
      const { row, connection } = ready;
      return {
        ...{ connected: true, grant_type: connection.grantType, issuer: row.issuer },
        ...{ client_id: connection.client.client_id, scope: row.scope, problem: row.problem },
        expires_at: row.expires_at?.toISOString() ?? null,
        connected_at: row.connected_at.toISOString(),
      };
    },
    async disconnect(serverId) {
      const gone = await store.deleteConnection(database, serverId);
      connections.forget(serverId);
      return gone;
    },
  });
  return {
    feature: {
      name: "gateway-credentials",
      operations,
      errors: credentialErrors.entries,
      async start() {
        pruning.start();
      },
      stop: () => pruning.stop(),
    },
    service: connections,
  };
}
