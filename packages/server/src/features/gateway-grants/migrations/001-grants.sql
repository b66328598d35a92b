-- Bearer tokens for one server each.
create table ambit.gateway_grants (
  id text primary key,
  organization_id uuid not null references ambit.organizations (id) on delete cascade,
  server_id uuid not null references ambit.gateway_servers (id) on delete cascade,
  -- Null: everything is denied.
  policy_id uuid,
  label text not null,
  -- The member who made it, and answers for it: without that membership it opens nothing.
  account_id uuid not null references ambit.accounts (id) on delete cascade,
  -- SHA-256 of the token, in hex.
  token_hash text not null unique,
  -- How often the token was replaced.
  rotation int not null default 0,
  expires_at timestamptz,
  created_at timestamptz not null,
  rotated_at timestamptz,
  revoked_at timestamptz,
  last_used_at timestamptz,
  -- A grant's policy is one of its own server's.
  foreign key (policy_id, server_id) references ambit.gateway_policies (id, server_id)
);
create unique index gateway_grants_label on ambit.gateway_grants (server_id, label) where revoked_at is null;
create index gateway_grants_list on ambit.gateway_grants (organization_id, id desc) where revoked_at is null;
create index gateway_grants_server on ambit.gateway_grants (server_id);
create index gateway_grants_policy on ambit.gateway_grants (policy_id);
create index gateway_grants_account on ambit.gateway_grants (account_id);
