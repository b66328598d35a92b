-- One row per app that has functions; every change of any of them counts `revision` up, and every change of what their
-- process runs `build`.
create table ambit.function_apps (
  app_id text primary key references ambit.apps (id) on delete cascade,
  revision bigint not null default 0,
  build bigint not null default 0
);

create table ambit.functions (
  id uuid primary key,
  app_id text not null references ambit.apps (id) on delete cascade,
  name text not null,
  description text,
  version integer not null,
  -- Name → value sealed with the master key.
  env jsonb not null default '{}',
  timeout_ms integer not null,
  memory_limit_mb integer not null,
  run_as text not null check (run_as in ('caller', 'service')),
  allow_service_key_impersonation boolean not null,
  agent_tool boolean not null,
  agent_tool_description text,
  agent_tool_mode text check (agent_tool_mode in ('read_only', 'read_write')),
  agent_tool_exposed_to text check (agent_tool_exposed_to in ('developer_only', 'end_user')),
  created_at timestamptz not null,
  deployed_at timestamptz not null,
  updated_at timestamptz not null,
  deleted_at timestamptz
);
create unique index on ambit.functions (app_id, name) where deleted_at is null;

create table ambit.function_versions (
  function_id uuid not null references ambit.functions (id) on delete cascade,
  version integer not null,
  code text not null,
  compiled text not null,
  source_map text not null,
  entry text not null check (entry in ('handler', 'default')),
  deployed_by text,
  created_at timestamptz not null,
  primary key (function_id, version)
);

create table ambit.function_triggers (
  function_id uuid not null references ambit.functions (id) on delete cascade,
  type text not null check (type in ('http', 'cron', 'webhook', 'websocket')),
  config jsonb not null,
  -- A webhook's secret, sealed.
  secret text,
  enabled boolean not null,
  primary key (function_id, type)
);

create table ambit.function_schedules (
  function_id uuid primary key references ambit.functions (id) on delete cascade,
  cron text not null,
  timezone text not null,
  -- null: it never comes again.
  next_run_at timestamptz,
  last_run_at timestamptz,
  last_status integer,
  missed integer not null default 0,
  last_missed_at timestamptz,
  -- Until then the run belongs to whoever took it up last, known by `claim`.
  leased_until timestamptz,
  claim uuid
);
create index on ambit.function_schedules (next_run_at);

create table ambit.function_events (
  function_id uuid not null references ambit.functions (id) on delete cascade,
  event_id text not null,
  handled boolean not null,
  -- Of a handled event: when it is forgotten. Of one under way: when its claim counts as given up.
  expires_at timestamptz not null,
  primary key (function_id, event_id)
);
create index on ambit.function_events (expires_at);

create table ambit.function_claims (
  app_id text not null references ambit.apps (id) on delete cascade,
  scope text not null,
  key text not null,
  expires_at timestamptz not null,
  primary key (app_id, scope, key)
);
create index on ambit.function_claims (expires_at);
