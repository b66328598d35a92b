import { z } from "zod";
import { organizationKeyOf } from "../../kernel/access.ts";
import { errors } from "../../kernel/errors.ts";
import { type AnyOperation, type Call, platformOperation } from "../../kernel/operation.ts";
import type { KeyPrincipal } from "../../kernel/principal.ts";
import type { GatewayServer } from "../gateway-servers/service.ts";
import type { ConnectOrder, CredentialFlow } from "./flow.ts";
import { limits } from "./limits.ts";
import { callbackPage } from "./page.ts";
import type { ConnectionView } from "./types.ts";

/** What the operations stand on. */
export interface CredentialOperations {
  readonly flow: CredentialFlow;
  /** The organisation's server over HTTP, with its URL. Throws RESOURCE_NOT_FOUND, GATEWAY_OAUTH_UNSUPPORTED. */
  serverOf(
    by: KeyPrincipal,
    serverId: string,
  ): Promise<{ readonly server: GatewayServer; readonly url: string }>;
  view(serverId: string): Promise<ConnectionView>;
  disconnect(serverId: string): Promise<boolean>;
}

const tool = "manage_gateway";
const base = "/v1/gateway/servers/:server_id/oauth";
const server_id = z.string().min(1).max(100).describe("Id of the server");
const field = z.string().min(1).max(limits.fieldChars);
const view = z.object({
  connected: z.boolean(),
  grant_type: z.enum(["authorization_code", "client_credentials"]).nullable(),
  issuer: z.string().nullable(),
  client_id: z.string().nullable(),
  scope: z.string().nullable(),
  expires_at: z.string().nullable().describe("When the present token ends; it is renewed before"),
  connected_at: z.string().nullable(),
  problem: z.string().nullable().describe("Why the last renewal failed"),
});
const audit = (action: "create" | "update" | "delete") => ({
  ...({ category: "admin", resourceType: "gateway_credentials" } as const),
  action,
  resourceId: (input: { server_id: string }) => input.server_id,
});
/** What all of them ask: upstream credentials are a person's business. */
const byAdmin = { right: "administer", personOnly: true } as const;

export function credentialOperations(deps: CredentialOperations): AnyOperation[] {
  return [connectOperation(deps), finishOperation(deps), ...stateOperations(deps), callbackOperation(deps)];
}

const connectOperation = (deps: CredentialOperations): AnyOperation =>
  platformOperation({
    name: "gateway.connect_server",
    title: "Connect a server with OAuth",
    summary:
      "Begins the consent that gives the gateway a token for an upstream server: open authorization_url in a browser, agree, then finish with the code the page shows. With grant_type client_credentials no browser is needed.",
    input: z.object({
      server_id,
      grant_type: z.enum(["authorization_code", "client_credentials"]).default("authorization_code"),
      client_id: field.optional().describe("Only where the authorization server registers no clients itself"),
      client_secret: field.optional(),
      scope: field.optional().describe("Scopes to ask for, separated by spaces"),
    }),
    output: z.object({
      connected: z.boolean(),
      authorization_url: z.string().nullable(),
      expires_at: z.string().nullable(),
    }),
    ...byAdmin,
    risk: "write",
    overwrites: true,
    idempotent: false,
    secretFields: ["client_secret"],
    errors: [
      "GATEWAY_OAUTH_UNSUPPORTED",
      "GATEWAY_OAUTH_CLIENT_NEEDED",
      "GATEWAY_OAUTH_FAILED",
      "QUOTA_GATEWAY_OAUTH",
    ],
    audit: audit("create"),
    http: { method: "POST", path: `${base}/connect` },
    mcp: { tool, action: "connect_server" },
    async run(call, input) {
      const by = organizationKeyOf(call);
      const { server, url } = await deps.serverOf(by, input.server_id);
      const begun = await deps.flow.begin(by, server, url, orderOf(input));
      if (begun.connected) return { connected: true, authorization_url: null, expires_at: null };
      const expires_at = new Date(begun.expiresAtMs).toISOString();
      return { connected: false, authorization_url: begun.authorizationUrl, expires_at };
    },
  });

const finishOperation = (deps: CredentialOperations): AnyOperation =>
  platformOperation({
    name: "gateway.finish_connection",
    title: "Finish connecting a server",
    summary: "The last step of connect_server, by the same member: with the code that the browser was shown.",
    input: z.object({ server_id, confirmation: z.string().min(1).max(200) }),
    output: view,
    ...byAdmin,
    risk: "write",
    overwrites: true,
    idempotent: false,
    secretFields: ["confirmation"],
    errors: ["GATEWAY_OAUTH_NOT_STARTED", "GATEWAY_OAUTH_FAILED"],
    audit: audit("update"),
    http: { method: "POST", path: `${base}/finish` },
    mcp: { tool, action: "finish_connection" },
    async run(call, input) {
      const by = organizationKeyOf(call);
      const { server } = await deps.serverOf(by, input.server_id);
      await deps.flow.finish(by, server, input.confirmation);
      return deps.view(server.id);
    },
  });

const stateOperations = (deps: CredentialOperations): AnyOperation[] => [
  platformOperation({
    name: "gateway.get_connection",
    title: "See how a server is connected",
    summary: "Whether the gateway has a token for the server, from whom, until when. Never the token.",
    input: z.object({ server_id }),
    output: view,
    right: "administer",
    risk: "read",
    idempotent: true,
    http: { method: "GET", path: base },
    mcp: { tool, action: "get_connection" },
    run: async (call, input) =>
      deps.view((await deps.serverOf(organizationKeyOf(call), input.server_id)).server.id),
  }),
  platformOperation({
    name: "gateway.disconnect_server",
    title: "Disconnect a server",
    summary: "Forgets the gateway's token for the server at once. Calls go on without it.",
    input: z.object({ server_id }),
    output: z.object({ disconnected: z.boolean() }),
    ...byAdmin,
    risk: "destructive",
    idempotent: true,
    audit: audit("delete"),
    http: { method: "DELETE", path: base },
    mcp: { tool, action: "disconnect_server" },
    async run(call, input) {
      const { server } = await deps.serverOf(organizationKeyOf(call), input.server_id);
      return { disconnected: await deps.disconnect(server.id) };
    },
  }),
];

/** Where browsers come back to. Open to everyone: what counts is the state, and the step that follows. */
const callbackOperation = ({ flow }: CredentialOperations): AnyOperation =>
  platformOperation({
    name: "gateway.oauth_callback",
    title: "Return from an authorization server",
    summary: "Where an authorization server sends the browser back to. Answers a page.",
    input: z.object({
      state: z.string().max(200).optional(),
      code: field.optional(),
      iss: field.optional(),
      error: field.optional(),
    }),
    output: z.unknown(),
    right: "public",
    risk: "write",
    idempotent: false,
    secretFields: ["state", "code"],
    http: { method: "GET", path: "/v1/gateway/oauth/callback" },
    async run(_call: Call, callback) {
      return callbackPage(await flow.returned(callback));
    },
  });

function orderOf(input: {
  grant_type: ConnectOrder["grantType"];
  client_id?: string | undefined;
  client_secret?: string | undefined;
  scope?: string | undefined;
}): ConnectOrder {
  const { grant_type, client_id, client_secret, scope } = input;
  if (client_id === undefined && client_secret !== undefined) {
    throw errors.VALIDATION_INVALID_SCHEMA({
      message: "client_secret needs client_id.",
      details: [{ path: "client_id", message: "missing", code: "custom" }],
    });
  }
  const client = client_id === undefined ? null : { client_id, client_secret };
  return { grantType: grant_type, client, scope: scope ?? null };
}
