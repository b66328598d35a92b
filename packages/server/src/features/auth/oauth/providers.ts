import type { Platform } from "../../../engines/platform.ts";
import { errors } from "../../../kernel/errors.ts";
import { newUuid } from "../../../kernel/ids.ts";
import { authErrors } from "../errors.ts";
import { limits } from "../limits.ts";
import { type Provider, providerOf } from "./presets.ts";
import * as store from "./store.ts";

/** What may be set on a provider; absent fields keep what they were, or the preset's. */
export interface ProviderSettings {
  readonly client_id?: string | undefined;
  readonly client_secret?: string | undefined;
  readonly redirect_uris?: string[] | undefined;
  readonly scopes?: string[] | undefined;
  readonly authorization_url?: string | undefined;
  readonly token_url?: string | undefined;
  readonly userinfo_url?: string | undefined;
  readonly provider_metadata?: Record<string, unknown> | undefined;
  readonly enabled?: boolean | undefined;
}

/** The OAuth providers of each app. Client secrets are sealed and never shown again. */
export interface Providers {
  /** Puts the provider's whole configuration in place. */
  configure(appId: string, name: string, settings: ProviderSettings): Promise<store.ProviderRow>;
  /** Changes the given fields; throws OAUTH_PROVIDER_NOT_CONFIGURED. */
  update(appId: string, name: string, settings: ProviderSettings): Promise<store.ProviderRow>;
  list(appId: string): Promise<store.ProviderRow[]>;
  get(appId: string, name: string): Promise<store.ProviderRow>;
  delete(appId: string, name: string): Promise<void>;
  /** What the flow works with; throws OAUTH_PROVIDER_NOT_CONFIGURED also when it is switched off. */
  enabled(
    appId: string,
    name: string,
  ): Promise<{ provider: Provider; redirectUris: string[]; clientSecret(): string }>;
}

export function createProviders({ database, secrets, clock }: Platform): Providers {
  const context = (appId: string, name: string) => `${appId}/${name}`;
  const get = async (appId: string, name: string) => {
    const row = await store.selectProvider(database, appId, name);
    if (row === null) throw authErrors.OAUTH_PROVIDER_NOT_CONFIGURED({ details: { provider: name } });
    return row;
  };
  const save = async (appId: string, name: string, base: store.ProviderRow, settings: ProviderSettings) => {
    const { client_secret, ...columns } = settings;
    const given = Object.fromEntries(Object.entries(columns).filter(([, value]) => value !== undefined));
    const sealed =
      client_secret === undefined
        ? base.sealed_client_secret
        : secrets.seal("oauth-client-secret", client_secret, context(appId, name));
    const row = { ...base, ...given, sealed_client_secret: sealed, updated_at: new Date(clock()) };
    refuseIncomplete(row);
    return store.upsertProvider(database, row);
  };
  return {
    get,
    list: (appId) => store.selectProviders(database, appId),
    async configure(appId, name, settings) {
      const others = (await store.selectProviders(database, appId)).filter((row) => row.provider !== name);
      if (others.length >= limits.oauthProviders) {
        throw errors.VALIDATION_INVALID_SCHEMA({
          message: `An app has at most ${limits.oauthProviders} OAuth providers.`,
          remediation: "Delete a provider that is not used any more.",
        });
      }
      return save(appId, name, emptyRow(appId, name, new Date(clock())), settings);
    },
    update: async (appId, name, settings) => save(appId, name, await get(appId, name), settings),
    async delete(appId, name) {
      if (!(await store.deleteProvider(database, appId, name))) {
        throw authErrors.OAUTH_PROVIDER_NOT_CONFIGURED({ details: { provider: name } });
      }
    },
    async enabled(appId, name) {
      const row = await get(appId, name);
      const provider = row.enabled ? providerOf(row) : null;
      if (provider === null) throw authErrors.OAUTH_PROVIDER_NOT_CONFIGURED({ details: { provider: name } });
      const clientSecret = () =>
        secrets.open("oauth-client-secret", row.sealed_client_secret, context(appId, name));
      return { provider, redirectUris: row.redirect_uris, clientSecret };
    },
  };
}

const emptyRow = (appId: string, provider: string, now: Date): store.ProviderRow => ({
  id: newUuid(),
  app_id: appId,
  provider,
  client_id: "",
  sealed_client_secret: "",
  redirect_uris: [],
  scopes: [],
  authorization_url: null,
  token_url: null,
  userinfo_url: null,
  enabled: true,
  provider_metadata: {},
  created_at: now,
  updated_at: now,
});

function refuseIncomplete(row: store.ProviderRow): void {
  if (JSON.stringify(row.provider_metadata).length > limits.oauthMetadataChars) {
    throw errors.VALIDATION_INVALID_SCHEMA({
      message: `provider_metadata is longer than ${limits.oauthMetadataChars} characters.`,
    });
  }
  if (providerOf(row) !== null) return;
  throw errors.VALIDATION_INVALID_SCHEMA({
    message: `${row.provider} is not a known provider, so its endpoints must be given.`,
    remediation:
      "Add authorization_url, token_url and userinfo_url; for OpenID Connect, issuer and jwks_uri in provider_metadata may stand for userinfo_url.",
  });
}
