import type { Platform } from "../../engines/platform.ts";
import { newToken, sha256Hex } from "../../kernel/ids.ts";
import type { KeyPrincipal } from "../../kernel/principal.ts";
import type { GatewayServer } from "../gateway-servers/service.ts";
import type { Connections } from "./connections.ts";
import { credentialErrors } from "./errors.ts";
import { limits } from "./limits.ts";
import type { OAuthPort } from "./oauth-client.ts";
import * as store from "./store.ts";
import type { Authority, Connection, Flow, OAuthClient } from "./types.ts";

/** What a person gives to connect a server. */
export interface ConnectOrder {
  readonly grantType: Connection["grantType"];
  readonly client: OAuthClient | null;
  readonly scope: string | null;
}

/** What the authorization server sends with the browser. */
export interface Callback {
  readonly state?: string | undefined;
  readonly code?: string | undefined;
  readonly iss?: string | undefined;
  readonly error?: string | undefined;
}

export type Begun =
  | { readonly connected: true }
  | { readonly connected: false; readonly authorizationUrl: string; readonly expiresAtMs: number };

/**
 * Consent to use an upstream server: begun with a person's key, agreed to in a browser, finished with the key of the same
 * member and a code the browser was shown. Without that last step, whoever can make a member open a link could have that
 * member's account connected to a server of their own.
 */
export interface CredentialFlow {
  begin(by: KeyPrincipal, server: GatewayServer, url: string, order: ConnectOrder): Promise<Begun>;
  /** The browser is back; gives the code to show, or null when the flow is unknown, over or used. */
  returned(callback: Callback): Promise<{ readonly confirmation: string } | { readonly problem: string }>;
  /** Throws GATEWAY_OAUTH_NOT_STARTED. */
  finish(by: KeyPrincipal, server: GatewayServer, confirmation: string): Promise<void>;
}

const PURPOSE = "gateway-oauth-flow";

export function createCredentialFlow(
  platform: Platform,
  oauth: OAuthPort,
  connections: Connections,
): CredentialFlow {
  const { database, secrets, clock } = platform;
  const redirectUri = () => `${platform.publicUrl()}/v1/gateway/oauth/callback`;
  const keep = async (
    { accountId, organizationId }: KeyPrincipal,
    server: GatewayServer,
    url: string,
    connection: Connection,
  ) => {
    const at = new Date(clock());
    await store.upsertConnection(database, {
      ...{ server_id: server.id, organization_id: organizationId, account_id: accountId, url, at },
      ...connections.rowOf(server.id, connection, at.getTime()),
      issuer: connection.authority.issuer,
    });
    connections.forget(server.id);
  };
  const toBrowser = async (
    by: KeyPrincipal,
    server: GatewayServer,
    url: string,
    asked: { authority: Authority; client: OAuthClient; scope: string | null },
  ): Promise<Begun> => {
    const { authority, client, scope } = asked;
    const state = newToken();
    const begun = await oauth.authorizationUrl(authority, {
      client,
      redirectUri: redirectUri(),
      scope,
      state,
    });
    const flow: Flow = {
      ...{ url, client, authority, scope, codeVerifier: begun.codeVerifier, redirectUri: redirectUri() },
      ...{ code: null, iss: null },
    };
    const expiresAtMs = clock() + limits.flowMs;
    const stateHash = sha256Hex(state);
    await store.insertStart(database, {
      ...{ state_hash: stateHash, server_id: server.id, organization_id: by.organizationId },
      ...{ account_id: by.accountId, expires_at: new Date(expiresAtMs) },
      sealed: secrets.seal(PURPOSE, JSON.stringify(flow), stateHash),
    });
    return { connected: false, authorizationUrl: begun.url, expiresAtMs };
  };
  return {
    async begin(by, server, url, { grantType, client: given, scope }) {
      if ((await store.countStarts(database, server.id, new Date(clock()))) >= limits.flowsPerServer) {
        platform.metrics.limitsHit.inc({ limit: "gateway_oauth_flows" });
        throw credentialErrors.QUOTA_GATEWAY_OAUTH();
      }
      const authority = await oauth.discover(url);
      if (grantType === "client_credentials") {
        if (given === null) {
          throw credentialErrors.GATEWAY_OAUTH_CLIENT_NEEDED({
            message: "With client_credentials Ambit speaks for itself, and needs a client of its own.",
            remediation: "Repeat with client_id and client_secret.",
          });
        }
        const tokens = await oauth.clientCredentials(authority, given, scope);
        await keep(by, server, url, { grantType, client: given, authority, tokens });
        return { connected: true };
      }
      const client = given ?? (await oauth.register(authority, redirectUri(), scope));
      return toBrowser(by, server, url, { authority, client, scope });
    },
    async returned({ state, code, iss, error }) {
      if (state === undefined) return { problem: "It was not begun here." };
      const stateHash = sha256Hex(state);
      return database.transaction(async (tx) => {
        const row = await store.lockStart(tx, stateHash, new Date(clock()));
        if (row === null) return { problem: "It was not begun here, is over, or was used already." };
        if (error !== undefined || code === undefined) {
          await store.deleteStart(tx, stateHash);
          return { problem: "The authorization server did not agree." };
        }
        const flow = JSON.parse(secrets.open(PURPOSE, row.sealed, stateHash)) as Flow;
        const confirmation = newToken(9);
        const sealed = secrets.seal(PURPOSE, JSON.stringify({ ...flow, code, iss: iss ?? null }), stateHash);
        await store.updateReturned(tx, stateHash, sealed, sha256Hex(confirmation));
        return { confirmation };
      });
    },
    async finish(by, server, confirmation) {
      const now = new Date(clock());
      const hash = sha256Hex(confirmation.trim());
      const row = await store.takeConfirmed(database, server.id, by.accountId, hash, now);
      if (row === null) {
        await store.countWrong(database, server.id, by.accountId, limits.confirmations);
        throw credentialErrors.GATEWAY_OAUTH_NOT_STARTED();
      }
      const flow = JSON.parse(secrets.open(PURPOSE, row.sealed, row.state_hash)) as Flow & { code: string };
      const tokens = await oauth.exchange(flow);
      const { client, authority } = flow;
      await keep(by, server, flow.url, { grantType: "authorization_code", client, authority, tokens });
    },
  };
}
