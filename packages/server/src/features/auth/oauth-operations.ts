import { z } from "zod";
import { type AnyOperation, appOperation } from "../../kernel/operation.ts";
import { appId, asOutput, audited, secretFields } from "./fields.ts";
import { limits } from "./limits.ts";
import type { ProviderRow } from "./oauth/store.ts";
import type { AuthParts } from "./service.ts";

const provider = z
  .string()
  .toLowerCase()
  .regex(/^[a-z0-9][a-z0-9_-]{0,39}$/, "lower-case letters, digits, - and _")
  .describe("google, github, discord, facebook, linkedin, microsoft, apple, x, or a name of your own");
const webUrl = z.url({ protocol: /^https?$/ }).max(limits.urlChars);
/** Apps on phones receive tokens under schemes of their own; what a browser would run or read itself is no place to. */
const redirectUri = z
  .url()
  .max(limits.urlChars)
  .refine(
    (uri) => !/^(javascript|data|vbscript|blob|file|about):/i.test(uri),
    "not a place to send a browser to",
  );

const settings = {
  client_id: z.string().trim().min(1).max(500).describe("Client id the provider gave"),
  client_secret: z
    .string()
    .trim()
    .min(1)
    .max(8_000)
    .describe("Client secret; for apple the private key (PEM), with team_id and key_id in provider_metadata"),
  redirect_uris: z
    .array(redirectUri)
    .max(20)
    .describe("Callback URIs registered at the provider, and further places tokens may go to"),
  scopes: z.array(z.string().min(1).max(200)).max(50).describe("Instead of the provider's usual scopes"),
  authorization_url: webUrl.describe("Only for providers without a preset"),
  token_url: webUrl.describe("Only for providers without a preset"),
  userinfo_url: webUrl.describe("Only for providers without a preset"),
  provider_metadata: z
    .record(z.string(), z.unknown())
    .describe("issuer, jwks_uri, tenant, team_id, key_id, token_endpoint_auth_method; never secrets"),
};
const optional = z.object(settings).partial();

const configShape = z.object({
  id: z.string(),
  app_id: z.string(),
  provider: z.string(),
  client_id: z.string(),
  redirect_uris: z.array(z.string()),
  scopes: z.array(z.string()),
  authorization_url: z.string().nullable(),
  token_url: z.string().nullable(),
  userinfo_url: z.string().nullable(),
  enabled: z.boolean(),
  provider_metadata: z.record(z.string(), z.unknown()),
  created_at: z.string(),
  updated_at: z.string(),
});

const shown = ({ sealed_client_secret: _secret, ...row }: ProviderRow): z.infer<typeof configShape> => ({
  ...row,
  created_at: row.created_at.toISOString(),
  updated_at: row.updated_at.toISOString(),
});

const change = {
  right: "develop",
  risk: "write",
  idempotent: true,
  secretFields,
  errors: ["OAUTH_PROVIDER_NOT_CONFIGURED"],
} as const;
const providerAudit = (action: "create" | "update" | "delete") => ({
  category: "admin" as const,
  action,
  resourceType: "oauth_provider",
  resourceId: (input: { provider: string }) => input.provider,
});

/** Signing in at OAuth providers, and configuring them. */
export const oauthOperations = (parts: AuthParts): AnyOperation[] => [
  ...flowOperations(parts),
  ...configOperations(parts),
  ...changeOperations(parts),
];

function flowOperations({ oauth }: AuthParts): AnyOperation[] {
  const common = {
    output: z.looseObject({}).describe("A redirect (302), not JSON"),
    right: "public",
    risk: "write",
    idempotent: false,
    whilePaused: false,
    secretFields,
  } as const;
  return [
    appOperation({
      ...common,
      name: "auth.oauth_begin",
      title: "Sign in at a provider",
      summary: "Sends the browser to an OAuth provider; it comes back to redirect_to with tokens.",
      input: z.object({
        app_id: appId,
        provider,
        redirect_to: z
          .string()
          .max(1_000)
          .optional()
          .describe("Where tokens go; its origin must be in allowed_origins"),
      }),
      errors: ["OAUTH_PROVIDER_NOT_CONFIGURED", "OAUTH_REDIRECT_NOT_ALLOWED"],
      http: { method: "GET", path: "/auth/:app_id/oauth/:provider" },
      run: async (call, input) => asOutput(await oauth.begin(call, input.provider, input.redirect_to)),
    }),
    appOperation({
      ...common,
      name: "auth.oauth_callback",
      title: "Come back from a provider",
      summary:
        "Where the provider sends the browser; signs the user in and sends the browser to redirect_to.",
      input: z.object({
        app_id: appId,
        provider,
        code: z.string().max(4_096).optional(),
        state: z.string().max(8_192).optional(),
        error: z.string().max(1_000).optional(),
        user: z.string().max(2_000).optional().describe("Apple's form: JSON with the person's name"),
      }),
      errors: [
        "OAUTH_STATE_INVALID",
        "OAUTH_DENIED",
        "OAUTH_EXCHANGE_FAILED",
        "OAUTH_ACCOUNT_EXISTS",
        "AUTH_EMAIL_NOT_VERIFIED",
      ],
      audit: audited("invoke"),
      http: [
        { method: "GET", path: "/auth/:app_id/oauth/:provider/callback" },
        { method: "POST", path: "/auth/:app_id/oauth/:provider/callback" },
      ],
      run: async (call, input) => asOutput(await oauth.finish(call, input.provider, input)),
    }),
  ];
}

const tool = "manage_oauth";
const base = "/v1/:app_id/auth/oauth-config";
const saved = z.object({ message: z.string(), config: configShape });

function configOperations({ providers }: AuthParts): AnyOperation[] {
  return [
    appOperation({
      ...change,
      name: "auth.configure_oauth",
      title: "Configure an OAuth provider",
      summary:
        "Lets users sign in at a provider. Replaces the provider's whole configuration; the secret is never shown.",
      input: optional.extend({
        app_id: appId,
        provider,
        client_id: settings.client_id,
        client_secret: settings.client_secret,
      }),
      output: saved,
      audit: providerAudit("create"),
      http: { method: "POST", path: base },
      mcp: { tool, action: "configure" },
      async run({ app }, { app_id: _app, provider: name, ...rest }) {
        return {
          message: `${name} is configured.`,
          config: shown(await providers.configure(app.id, name, rest)),
        };
      },
    }),
    appOperation({
      name: "auth.get_oauth",
      title: "Get OAuth providers",
      summary: "The configuration of one provider, or without `provider` of all, without secrets.",
      input: z.object({ app_id: appId, provider: provider.optional() }),
      output: configShape.partial().extend({ configs: z.array(configShape).optional() }),
      right: "view",
      risk: "read",
      idempotent: true,
      errors: ["OAUTH_PROVIDER_NOT_CONFIGURED"],
      http: [
        { method: "GET", path: base },
        { method: "GET", path: `${base}/:provider` },
      ],
      mcp: { tool, action: "get" },
      async run({ app }, input) {
        if (input.provider !== undefined) return shown(await providers.get(app.id, input.provider));
        return { configs: (await providers.list(app.id)).map(shown) };
      },
    }),
  ];
}

function changeOperations({ providers }: AuthParts): AnyOperation[] {
  return [
    appOperation({
      ...change,
      name: "auth.update_oauth",
      title: "Change an OAuth provider",
      summary: "Changes the given fields of a provider's configuration, or switches it on and off.",
      input: optional.extend({
        app_id: appId,
        provider,
        enabled: z.boolean().optional().describe("Whether users may sign in there"),
      }),
      output: saved,
      audit: providerAudit("update"),
      http: { method: "PATCH", path: `${base}/:provider` },
      mcp: { tool, action: "update" },
      async run({ app }, { app_id: _app, provider: name, ...rest }) {
        return { message: `${name} is changed.`, config: shown(await providers.update(app.id, name, rest)) };
      },
    }),
    appOperation({
      ...change,
      name: "auth.delete_oauth",
      title: "Delete an OAuth provider",
      summary: "Removes a provider's configuration. Users who came from it stay, and can sign in by mail.",
      input: z.object({ app_id: appId, provider }),
      output: z.object({ message: z.string(), provider: z.string() }),
      risk: "destructive",
      idempotent: false,
      audit: providerAudit("delete"),
      http: { method: "DELETE", path: `${base}/:provider` },
      mcp: { tool, action: "delete" },
      async run({ app }, { provider: name }) {
        await providers.delete(app.id, name);
        return { message: `${name} is deleted.`, provider: name };
      },
    }),
  ];
}
