import type { GatewayServer } from "../gateway-servers/service.ts";

/** The client we are to an authorization server. */
export interface OAuthClient {
  readonly client_id: string;
  readonly client_secret?: string | undefined;
}

/** An authorization server, as it described itself. */
export interface Authority {
  readonly url: string;
  readonly issuer: string;
  /** RFC 8414 metadata, as the SDK reads it. */
  readonly metadata: object | null;
  /** RFC 8707: which resource the tokens are for; null when the server names none. */
  readonly resource: string | null;
}

export interface Tokens {
  readonly access_token: string;
  readonly refresh_token?: string | undefined;
  /** Seconds. */
  readonly expires_in?: number | undefined;
  readonly scope?: string | undefined;
}

/** Everything there is about one connection; kept sealed. */
export interface Connection {
  readonly grantType: "authorization_code" | "client_credentials";
  readonly client: OAuthClient;
  readonly authority: Authority;
  readonly tokens: Tokens;
}

/** A consent under way; kept sealed. */
export interface Flow {
  readonly url: string;
  readonly client: OAuthClient;
  readonly authority: Authority;
  readonly codeVerifier: string;
  readonly redirectUri: string;
  readonly scope: string | null;
  /** What the browser brought back. */
  readonly code: string | null;
  readonly iss: string | null;
}

/** For people: how a server is connected. Never a token. */
export interface ConnectionView {
  readonly connected: boolean;
  readonly grant_type: Connection["grantType"] | null;
  readonly issuer: string | null;
  readonly client_id: string | null;
  readonly scope: string | null;
  readonly expires_at: string | null;
  readonly connected_at: string | null;
  readonly problem: string | null;
}

export interface GatewayCredentialsService {
  /**
   * What OAuth adds to every request to the server: an `authorization` header, or nothing when it is not connected. A token
   * that is about to expire is renewed first, once for all nodes. Rejects with GATEWAY_OAUTH_FAILED when it has expired and
   * can't be renewed.
   */
  headersOf(server: GatewayServer): Promise<Readonly<Record<string, string>>>;
  /** The server refused the token: renews it. False when there is nothing to renew, or it did not work. */
  renew(server: GatewayServer): Promise<boolean>;
}
