-- Apps that use their organisation's substrate.
create table ambit.substrate_links (
  app_id text primary key references ambit.apps (id) on delete cascade,
  organization_id uuid not null references ambit.organizations (id) on delete cascade,
  -- {kinds?, entity_types?, own_only?}: what the app may read; empty is everything.
  read_scope jsonb not null default '{}',
  -- Sign-ups, verifications and deletions of the app's users are mirrored as people.
  mirror_users boolean not null default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index substrate_links_organization on ambit.substrate_links (organization_id);
