import { AmbitError } from "../../kernel/errors.ts";
import { fetchLimits, type GuardedFetch } from "../../kernel/guarded-fetch.ts";
import { credentialErrors } from "./errors.ts";
import type { Authority, Flow, OAuthClient, Tokens } from "./types.ts";

/** What an authorization server is asked, with the official SDK and through the guarded fetch. */
export interface OAuthPort {
  /** Who authorizes for this MCP server (RFC 9728, RFC 8414). Throws GATEWAY_OAUTH_UNSUPPORTED. */
  discover(url: string): Promise<Authority>;
  /** Registers Ambit there (RFC 7591). Throws GATEWAY_OAUTH_CLIENT_NEEDED where the server does not take clients so. */
  register(authority: Authority, redirectUri: string, scope: string | null): Promise<OAuthClient>;
  /** Where to send the browser, with PKCE (RFC 7636) and the resource (RFC 8707). */
  authorizationUrl(
    authority: Authority,
    asked: { client: OAuthClient; redirectUri: string; scope: string | null; state: string },
  ): Promise<{ readonly url: string; readonly codeVerifier: string }>;
  /** Tokens for the code a flow brought back. */
  exchange(flow: Flow & { readonly code: string }): Promise<Tokens>;
  /** Tokens for a refresh token; without a new one the old one stays. */
  refresh(authority: Authority, client: OAuthClient, refreshToken: string): Promise<Tokens>;
  /** Tokens for the client itself (RFC 6749 §4.4). */
  clientCredentials(authority: Authority, client: OAuthClient, scope: string | null): Promise<Tokens>;
}

/** The SDK is large and needed by few: it is loaded with the first consent. */
const sdk = () => import("@modelcontextprotocol/client");

export function createOAuthPort(fetch: GuardedFetch): OAuthPort {
  const fetchFn = asFetch(fetch);
  return {
    async discover(url) {
      const { discoverOAuthServerInfo } = await sdk();
      const found = await speaking(() => discoverOAuthServerInfo(url, { fetchFn }));
      const metadata = found.authorizationServerMetadata;
      if (metadata === undefined) throw credentialErrors.GATEWAY_OAUTH_UNSUPPORTED();
      const resource = found.resourceMetadata?.resource ?? null;
      return { url: String(found.authorizationServerUrl), issuer: metadata.issuer, metadata, resource };
    },
    async register(authority, redirectUri, scope) {
      const { registerClient } = await sdk();
      const metadata = metadataOf(authority);
      if (metadata.registration_endpoint === undefined) {
        throw credentialErrors.GATEWAY_OAUTH_CLIENT_NEEDED({
          details: { issuer: authority.issuer, redirect_uri: redirectUri },
        });
      }
      const client = await speaking(() =>
        registerClient(authority.url, {
          metadata,
          clientMetadata: {
            client_name: "Ambit",
            redirect_uris: [redirectUri],
            grant_types: ["authorization_code", "refresh_token"],
            response_types: ["code"],
          },
          ...(scope === null ? {} : { scope }),
          fetchFn,
        }),
      );
      return { client_id: client.client_id, client_secret: client.client_secret };
    },
    async authorizationUrl(authority, { client, redirectUri, scope, state }) {
      const { startAuthorization } = await sdk();
      const started = await speaking(() =>
        startAuthorization(authority.url, {
          ...{ metadata: metadataOf(authority), clientInformation: client, redirectUrl: redirectUri, state },
          ...(scope === null ? {} : { scope }),
          ...resourceOf(authority),
        }),
      );
      return { url: started.authorizationUrl.href, codeVerifier: started.codeVerifier };
    },
    async exchange({ authority, client, code, iss, codeVerifier, redirectUri }) {
      const { exchangeAuthorization } = await sdk();
      return speaking(() =>
        exchangeAuthorization(authority.url, {
          ...{ metadata: metadataOf(authority), clientInformation: client, authorizationCode: code },
          ...{ codeVerifier, redirectUri, fetchFn },
          ...(iss === null ? {} : { iss }),
          ...resourceOf(authority),
        }),
      );
    },
    async refresh(authority, client, refreshToken) {
      const { refreshAuthorization } = await sdk();
      return speaking(() =>
        refreshAuthorization(authority.url, {
          ...{ metadata: metadataOf(authority), clientInformation: client, refreshToken, fetchFn },
          ...resourceOf(authority),
        }),
      );
    },
    async clientCredentials(authority, client, scope) {
      const { ClientCredentialsProvider, fetchToken } = await sdk();
      const provider = new ClientCredentialsProvider({
        clientId: client.client_id,
        clientSecret: client.client_secret ?? "",
        expectedIssuer: authority.issuer,
      });
      return speaking(() =>
        fetchToken(provider, authority.url, {
          ...{ metadata: metadataOf(authority), fetchFn },
          ...(scope === null ? {} : { scope }),
          ...resourceOf(authority),
        }),
      );
    },
  };
}

type Metadata = Parameters<typeof import("@modelcontextprotocol/client")["registerClient"]>[1]["metadata"];

const metadataOf = ({ metadata }: Authority) => metadata as NonNullable<Metadata>;
const resourceOf = ({ resource }: Authority) => (resource === null ? {} : { resource });

/** The guarded fetch in the shape the SDK calls. */
function asFetch(fetch: GuardedFetch) {
  return async (url: string | URL, init: RequestInit = {}): Promise<Response> => {
    const answer = await fetch(String(url), {
      method: (init.method ?? "GET") as "GET" | "POST",
      headers: Object.fromEntries(new Headers(init.headers)),
      ...(init.body === undefined || init.body === null ? {} : { body: String(init.body) }),
      // A token endpoint that redirects would be given the code twice.
      redirects: init.method === "POST" ? 0 : fetchLimits.redirects,
    });
    const empty = answer.status === 204 || answer.status === 304;
    return new Response(empty ? null : new Uint8Array(answer.body), {
      status: answer.status,
      headers: answer.headers,
    });
  };
}

/** What the other side, or the SDK on its behalf, says of a failure; our own errors stay as they are. */
async function speaking<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof AmbitError) throw error;
    const words = error instanceof Error ? error.message : String(error);
    throw credentialErrors.GATEWAY_OAUTH_FAILED({
      message: `The authorization server refused, or did not answer as it should: ${words.slice(0, 300)}`,
      cause: error,
    });
  }
}
