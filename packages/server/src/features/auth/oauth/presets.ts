import type { ProviderRow } from "./store.ts";

/** Everything the flow needs to know of a provider. */
export interface Provider {
  readonly name: string;
  readonly clientId: string;
  readonly authorizationUrl: string;
  readonly tokenUrl: string;
  readonly userinfoUrl: string | null;
  readonly scopes: readonly string[];
  /** Present for OpenID Connect: the ID token is asked for and checked. */
  readonly oidc: { readonly issuer: string; readonly jwksUri: string } | null;
  readonly pkce: boolean;
  readonly clientAuth: "post" | "basic";
  /** The provider answers with a form posted by the browser instead of a redirect. */
  readonly formPost: boolean;
  readonly metadata: Readonly<Record<string, unknown>>;
}

interface Preset {
  readonly authorizationUrl: string;
  readonly tokenUrl: string;
  readonly userinfoUrl?: string;
  readonly scopes: readonly string[];
  readonly issuer?: string;
  readonly jwksUri?: string;
  /** False where the provider knows no PKCE beside a client secret and may refuse its parameters. */
  readonly pkce?: false;
  readonly clientAuth?: "basic";
  readonly formPost?: true;
}

const OPENID = ["openid", "email", "profile"];

/** Providers by name; `{tenant}` is filled from `provider_metadata.tenant`. */
export const PRESETS: Readonly<Record<string, Preset>> = {
  google: {
    authorizationUrl: "https://accounts.google.com/o/oauth2/v2/auth",
    tokenUrl: "https://oauth2.googleapis.com/token",
    scopes: OPENID,
    issuer: "https://accounts.google.com",
    jwksUri: "https://www.googleapis.com/oauth2/v3/certs",
  },
  github: {
    authorizationUrl: "https://github.com/login/oauth/authorize",
    tokenUrl: "https://github.com/login/oauth/access_token",
    userinfoUrl: "https://api.github.com/user",
    scopes: ["read:user", "user:email"],
  },
  discord: {
    authorizationUrl: "https://discord.com/oauth2/authorize",
    tokenUrl: "https://discord.com/api/oauth2/token",
    userinfoUrl: "https://discord.com/api/users/@me",
    scopes: ["identify", "email"],
  },
  facebook: {
    authorizationUrl: "https://www.facebook.com/v21.0/dialog/oauth",
    tokenUrl: "https://graph.facebook.com/v21.0/oauth/access_token",
    userinfoUrl: "https://graph.facebook.com/v21.0/me?fields=id,name,email,picture",
    scopes: ["email", "public_profile"],
  },
  linkedin: {
    authorizationUrl: "https://www.linkedin.com/oauth/v2/authorization",
    tokenUrl: "https://www.linkedin.com/oauth/v2/accessToken",
    userinfoUrl: "https://api.linkedin.com/v2/userinfo",
    scopes: ["openid", "profile", "email"],
    pkce: false,
  },
  microsoft: {
    authorizationUrl: "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/authorize",
    tokenUrl: "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token",
    userinfoUrl: "https://graph.microsoft.com/oidc/userinfo",
    scopes: OPENID,
    issuer: "https://login.microsoftonline.com/{tenantid}/v2.0",
    jwksUri: "https://login.microsoftonline.com/{tenant}/discovery/v2.0/keys",
  },
  apple: {
    authorizationUrl: "https://appleid.apple.com/auth/authorize",
    tokenUrl: "https://appleid.apple.com/auth/token",
    scopes: ["name", "email"],
    issuer: "https://appleid.apple.com",
    jwksUri: "https://appleid.apple.com/auth/keys",
    pkce: false,
    formPost: true,
  },
  x: {
    authorizationUrl: "https://x.com/i/oauth2/authorize",
    tokenUrl: "https://api.x.com/2/oauth2/token",
    userinfoUrl: "https://api.x.com/2/users/me?user.fields=profile_image_url,confirmed_email",
    scopes: ["users.read", "tweet.read", "users.email"],
    clientAuth: "basic",
  },
};

const text = (value: unknown): string | undefined =>
  typeof value === "string" && value !== "" ? value : undefined;

/** What the app configured, on top of the preset of that name; null when an endpoint is missing. Pure. */
export function providerOf(row: ProviderRow): Provider | null {
  const preset: Partial<Preset> = PRESETS[row.provider] ?? {};
  const metadata = row.provider_metadata;
  const tenant = text(metadata.tenant) ?? "common";
  const fill = (url: string | undefined) => url?.replace("{tenant}", encodeURIComponent(tenant));
  const authorizationUrl = row.authorization_url ?? fill(preset.authorizationUrl);
  const tokenUrl = row.token_url ?? fill(preset.tokenUrl);
  const userinfoUrl = row.userinfo_url ?? preset.userinfoUrl ?? null;
  const issuer = text(metadata.issuer) ?? preset.issuer;
  const jwksUri = text(metadata.jwks_uri) ?? fill(preset.jwksUri);
  const oidc = issuer !== undefined && jwksUri !== undefined ? { issuer, jwksUri } : null;
  if (authorizationUrl === undefined || tokenUrl === undefined || (userinfoUrl === null && oidc === null))
    return null;
  const basic =
    metadata.token_endpoint_auth_method === "client_secret_basic" || preset.clientAuth === "basic";
  return {
    name: row.provider,
    clientId: row.client_id,
    authorizationUrl,
    tokenUrl,
    userinfoUrl,
    oidc,
    metadata,
    scopes: row.scopes.length > 0 ? row.scopes : (preset.scopes ?? (oidc === null ? [] : OPENID)),
    pkce: preset.pkce ?? true,
    clientAuth: basic ? "basic" : "post",
    formPost: preset.formPost ?? false,
  };
}
