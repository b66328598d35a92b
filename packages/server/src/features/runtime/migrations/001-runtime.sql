-- Which node's disk has an app's actors. Only that node runs them.
create table ambit.runtime_homes (
  app_id text primary key references ambit.apps (id) on delete cascade,
  node_id text not null,
  -- What people call the node.
  host text not null,
  claimed_at timestamptz not null default now()
);

-- What the developers of an app decided about its running; no row: the defaults.
create table ambit.runtime_settings (
  app_id text primary key references ambit.apps (id) on delete cascade,
  -- Hosts its code may reach; null for every public one.
  egress_allow text[],
  logs boolean not null default true,
  updated_at timestamptz not null default now()
);

-- Sums per month. The row with an empty unit is about the whole program: one process runs all its units.
create table ambit.runtime_usage (
  app_id text not null references ambit.apps (id) on delete cascade,
  kind text not null check (kind in ('actors', 'functions')),
  unit text not null,
  month date not null,
  requests bigint not null default 0,
  errors bigint not null default 0,
  wall_ms double precision not null default 0,
  cpu_ms double precision not null default 0,
  egress_requests bigint not null default 0,
  egress_refused bigint not null default 0,
  egress_bytes_in bigint not null default 0,
  egress_bytes_out bigint not null default 0,
  last_at timestamptz,
  last_status int,
  primary key (app_id, kind, month, unit)
);

-- What happened in runs of user code. Ids sort by time.
create table ambit.runtime_logs (
  id text collate "C" primary key,
  app_id text not null references ambit.apps (id) on delete cascade,
  kind text not null check (kind in ('actors', 'functions')),
  unit text not null,
  at timestamptz not null,
  failed boolean not null,
  request_id text,
  -- The rest of the entry as it is given out.
  entry jsonb not null
);
create index runtime_logs_app on ambit.runtime_logs (app_id, kind, id desc);
create index runtime_logs_at on ambit.runtime_logs using brin (at);
