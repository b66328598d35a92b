-- A policy of one server, by name. Deleting one keeps it and its versions for the record.
create table ambit.gateway_policies (
  id uuid primary key,
  organization_id uuid not null references ambit.organizations (id) on delete cascade,
  server_id uuid not null references ambit.gateway_servers (id) on delete cascade,
  name text not null,
  -- The version that holds.
  version int not null check (version >= 1),
  created_at timestamptz not null,
  updated_at timestamptz not null,
  deleted_at timestamptz,
  -- What a grant refers to, so that its policy is one of its own server's.
  unique (id, server_id)
);
create unique index gateway_policies_name on ambit.gateway_policies (server_id, name) where deleted_at is null;
create index gateway_policies_list on ambit.gateway_policies (organization_id, created_at desc, id desc);

-- Every document that held at some time, as it was written.
create table ambit.gateway_policy_versions (
  policy_id uuid not null references ambit.gateway_policies (id) on delete cascade,
  version int not null check (version >= 1),
  document text not null,
  -- SHA-256 of the document's UTF-8, in hex.
  document_sha256 text not null,
  created_at timestamptz not null,
  -- The member who wrote it, and the key that was used.
  account_id uuid not null,
  key_id uuid not null,
  primary key (policy_id, version)
);

create function ambit.gateway_policy_versions_stay() returns trigger language plpgsql as $$
begin
  raise exception 'a version of a policy is never changed';
end $$;
create trigger gateway_policy_versions_stay before update on ambit.gateway_policy_versions
  for each row execute function ambit.gateway_policy_versions_stay();
