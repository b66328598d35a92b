-- MCP servers an organisation reaches through the gateway.
create table ambit.gateway_servers (
  id uuid primary key,
  organization_id uuid not null references ambit.organizations (id) on delete cascade,
  name text not null,
  transport text not null check (transport in ('http', 'stdio', 'builtin')),
  url text,
  command text,
  args text[] not null default '{}',
  -- Headers (http) or environment (stdio): a JSON object, sealed with the master key; and its names, which may be shown.
  sealed_secrets text,
  secret_names text[] not null default '{}',
  capture_values boolean not null default false,
  -- Counts changes of this row, so that a node sees that what it holds is outdated.
  revision int not null default 1,
  -- Counts changes of the tools; its row lock makes looks at the server follow one another.
  tools_revision int not null default 0,
  -- When the first look at its tools was; what it had then is approved.
  looked_at timestamptz,
  created_by uuid,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  unique (organization_id, name),
  check ((transport = 'http') = (url is not null)),
  check ((transport = 'stdio') = (command is not null)),
  check (transport <> 'builtin' or sealed_secrets is null)
);

-- The tools of a server: as approved, and as they are. Equal hashes: it may be called.
create table ambit.gateway_tools (
  server_id uuid not null references ambit.gateway_servers (id) on delete cascade,
  tool text not null,
  -- Canonical JSON of the whole definition and its SHA-256; null: nobody has approved it yet.
  approved text,
  approved_hash text,
  present text not null,
  present_hash text not null,
  -- When it was first seen as it is now.
  seen_at timestamptz not null,
  -- Since when it is not in the list any more.
  gone_at timestamptz,
  -- Who approved it; null: it was there at the first look.
  approved_by uuid,
  approved_at timestamptz,
  primary key (server_id, tool),
  check ((approved is null) = (approved_hash is null))
);
