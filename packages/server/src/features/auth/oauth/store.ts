import type { Queryable } from "../../../engines/postgres/database.ts";

export interface ProviderRow {
  readonly id: string;
  readonly app_id: string;
  readonly provider: string;
  readonly client_id: string;
  readonly sealed_client_secret: string;
  readonly redirect_uris: string[];
  readonly scopes: string[];
  readonly authorization_url: string | null;
  readonly token_url: string | null;
  readonly userinfo_url: string | null;
  readonly enabled: boolean;
  readonly provider_metadata: Record<string, unknown>;
  readonly created_at: Date;
  readonly updated_at: Date;
}

/** Inserts the provider, or puts everything of it in the place of what was there. */
export async function upsertProvider(db: Queryable, row: ProviderRow): Promise<ProviderRow> {
  const [stored] = await db.query<ProviderRow>(
    `insert into ambit.auth_providers (id, app_id, provider, client_id, sealed_client_secret, redirect_uris, scopes,
       authorization_url, token_url, userinfo_url, enabled, provider_metadata, created_at, updated_at)
     values ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14)
     on conflict (app_id, provider) do update set client_id = excluded.client_id,
       sealed_client_secret = excluded.sealed_client_secret, redirect_uris = excluded.redirect_uris,
       scopes = excluded.scopes, authorization_url = excluded.authorization_url, token_url = excluded.token_url,
       userinfo_url = excluded.userinfo_url, enabled = excluded.enabled,
       provider_metadata = excluded.provider_metadata, updated_at = excluded.updated_at
     returning *`,
    [
      row.id,
      row.app_id,
      row.provider,
      row.client_id,
      row.sealed_client_secret,
      row.redirect_uris,
      row.scopes,
      row.authorization_url,
      row.token_url,
      row.userinfo_url,
      row.enabled,
      JSON.stringify(row.provider_metadata),
      row.created_at,
      row.updated_at,
    ],
  );
  return stored!;
}

export function selectProviders(db: Queryable, appId: string): Promise<ProviderRow[]> {
  return db.query<ProviderRow>("select * from ambit.auth_providers where app_id = $1 order by provider", [
    appId,
  ]);
}

export async function selectProvider(
  db: Queryable,
  appId: string,
  provider: string,
): Promise<ProviderRow | null> {
  const [row] = await db.query<ProviderRow>(
    "select * from ambit.auth_providers where app_id = $1 and provider = $2",
    [appId, provider],
  );
  return row ?? null;
}

export async function deleteProvider(db: Queryable, appId: string, provider: string): Promise<boolean> {
  const rows = await db.query(
    "delete from ambit.auth_providers where app_id = $1 and provider = $2 returning 1",
    [appId, provider],
  );
  return rows.length > 0;
}

/** Marks a state as used; false when it was. What has expired is forgotten on the way. */
export async function insertUsedState(
  db: Queryable,
  hash: string,
  expiresAt: Date,
  now: Date,
): Promise<boolean> {
  await db.query("delete from ambit.auth_used_states where expires_at <= $1", [now]);
  const rows = await db.query(
    "insert into ambit.auth_used_states (hash, expires_at) values ($1,$2) on conflict do nothing returning 1",
    [hash, expiresAt],
  );
  return rows.length > 0;
}
