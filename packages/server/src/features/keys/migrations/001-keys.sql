-- A platform key. Only its SHA-256 is kept: the key itself carries 160 random bits.
create table ambit.api_keys (
  id uuid primary key,
  organization_id uuid not null,
  account_id uuid not null,
  kind text not null check (kind in ('person', 'agent')),
  name text not null,
  hash text not null unique,
  prefix text not null,
  -- app, substrate or both: which of the two interfaces the key opens.
  scope text not null check (scope in ('app', 'substrate', 'both')),
  scopes text[] not null,
  expires_at timestamptz,
  revoked_at timestamptz,
  last_used_at timestamptz,
  created_at timestamptz not null default now(),
  foreign key (organization_id, account_id) references ambit.members (organization_id, account_id) on delete cascade
);
create index api_keys_organization on ambit.api_keys (organization_id);
