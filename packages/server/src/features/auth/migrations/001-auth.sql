-- End users of apps. An address belongs to one user of an app; users of some OAuth providers have none.
create table ambit.auth_users (
  id uuid primary key,
  app_id text not null references ambit.apps (id) on delete cascade,
  -- Trimmed and in lower case.
  email text,
  email_verified boolean not null,
  -- Argon2id in PHC form; null for users who never set a password.
  password_hash text,
  display_name text,
  avatar_url text,
  -- How the user first came: email, magic_link, or an OAuth provider.
  provider text not null,
  created_at timestamptz not null,
  last_sign_in_at timestamptz,
  unique (app_id, email)
);
create index auth_users_app on ambit.auth_users (app_id, created_at desc, id desc);

-- A user as an OAuth provider knows them.
create table ambit.auth_identities (
  app_id text not null,
  provider text not null,
  subject text not null,
  user_id uuid not null references ambit.auth_users (id) on delete cascade,
  created_at timestamptz not null,
  primary key (app_id, provider, subject)
);
create index auth_identities_user on ambit.auth_identities (user_id);

-- A sign-in on one device, and the family of refresh tokens that grew from it. Ending it deletes the row.
create table ambit.auth_sessions (
  id uuid primary key,
  app_id text not null,
  user_id uuid not null references ambit.auth_users (id) on delete cascade,
  method text not null,
  ip_address text not null,
  user_agent text not null,
  created_at timestamptz not null,
  last_used_at timestamptz not null,
  -- When neither its refresh token nor its access token can be valid any more.
  expires_at timestamptz not null
);
create index auth_sessions_user on ambit.auth_sessions (user_id);
create index auth_sessions_expiry on ambit.auth_sessions (expires_at);

-- Every refresh token of a family by its SHA-256, the used ones too: that is how a second use is recognised.
create table ambit.auth_refresh_tokens (
  hash text primary key,
  session_id uuid not null references ambit.auth_sessions (id) on delete cascade,
  expires_at timestamptz not null,
  used_at timestamptz
);
create index auth_refresh_tokens_session on ambit.auth_refresh_tokens (session_id);

-- The one live code per address and purpose.
create table ambit.auth_codes (
  app_id text not null references ambit.apps (id) on delete cascade,
  email text not null,
  purpose text not null check (purpose in ('verify', 'reset', 'magic')),
  -- HMAC of the digits with a key of the server, bound to app, purpose and address.
  code_hash text not null,
  -- SHA-256 of the opaque token that stands for the same code.
  token_hash text not null,
  -- Of a repeated sign-up: the password that counts once the address is proven.
  password_hash text,
  attempts int not null default 0,
  expires_at timestamptz not null,
  primary key (app_id, email, purpose)
);
create unique index auth_codes_token on ambit.auth_codes (app_id, purpose, token_hash);
create index auth_codes_expiry on ambit.auth_codes (app_id, expires_at);

-- ES256 key pairs; the newest of an app signs, all of them verify.
create table ambit.auth_signing_keys (
  app_id text not null references ambit.apps (id) on delete cascade,
  kid text not null,
  public_jwk jsonb not null,
  -- The private JWK, sealed with the master key.
  sealed_private_jwk text not null,
  created_at timestamptz not null,
  primary key (app_id, kid)
);

create table ambit.auth_providers (
  id uuid primary key,
  app_id text not null references ambit.apps (id) on delete cascade,
  provider text not null,
  client_id text not null,
  sealed_client_secret text not null,
  redirect_uris text[] not null,
  scopes text[] not null,
  authorization_url text,
  token_url text,
  userinfo_url text,
  enabled boolean not null,
  provider_metadata jsonb not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  unique (app_id, provider)
);

-- States of finished OAuth round trips, until they would have expired: each works once.
create table ambit.auth_used_states (
  hash text primary key,
  expires_at timestamptz not null
);
create index auth_used_states_expiry on ambit.auth_used_states (expires_at);
