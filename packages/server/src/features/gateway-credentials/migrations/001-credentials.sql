-- What a person's consent gave us for an upstream server. Everything secret is sealed.
create table ambit.gateway_oauth (
  server_id uuid primary key references ambit.gateway_servers (id) on delete cascade,
  organization_id uuid not null,
  -- The server's URL this was given for: with another URL it counts no more.
  url text not null,
  issuer text not null,
  -- JSON of the connection: client, authorization server, tokens.
  sealed text not null,
  scope text,
  expires_at timestamptz,
  -- Why the last renewal failed; null while all is well.
  problem text,
  renewed_at timestamptz not null,
  connected_at timestamptz not null,
  account_id uuid not null
);

-- Consents under way.
create table ambit.gateway_oauth_starts (
  -- SHA-256 of the state that travels with the browser.
  state_hash text primary key,
  server_id uuid not null references ambit.gateway_servers (id) on delete cascade,
  organization_id uuid not null,
  account_id uuid not null,
  -- JSON of the flow; with the authorization code once the browser has brought it.
  sealed text not null,
  -- SHA-256 of what the page showed; null before the browser came back.
  confirmation_hash text,
  attempts int not null default 0,
  expires_at timestamptz not null
);
create index gateway_oauth_starts_server on ambit.gateway_oauth_starts (server_id);
