-- A class of an app. Its id names the directory of its instances, so that one of the same name made later starts empty.
create table ambit.durable_objects (
  id uuid primary key,
  app_id text not null references ambit.apps (id) on delete cascade,
  name text not null,
  -- Null, like version, until a deploy has succeeded.
  class_name text,
  access_mode text not null check (access_mode in ('public', 'authenticated', 'service_key')),
  status text not null check (status in ('PENDING', 'BUILDING', 'READY', 'ERROR')),
  -- Why the last deploy failed; null after one that succeeded.
  error_message text,
  version integer,
  last_deployed_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (app_id, name)
);

create table ambit.durable_object_versions (
  class_id uuid not null references ambit.durable_objects (id) on delete cascade,
  version integer not null,
  class_name text not null,
  code text not null,
  compiled text not null,
  source_map text not null,
  bytes integer not null,
  compressed_bytes integer not null,
  deployed_by text,
  created_at timestamptz not null default now(),
  primary key (class_id, version)
);

-- Variables of all classes of an app; values are sealed with the master key.
create table ambit.durable_object_env (
  app_id text not null references ambit.apps (id) on delete cascade,
  key text not null,
  value text not null,
  updated_at timestamptz not null default now(),
  primary key (app_id, key)
);

-- Instances that were reached by name through Ambit. Others are known from their files alone.
create table ambit.durable_object_instances (
  class_id uuid not null references ambit.durable_objects (id) on delete cascade,
  instance_id text not null,
  name text not null,
  first_active_at timestamptz not null,
  last_active_at timestamptz not null,
  primary key (class_id, instance_id)
);
create index on ambit.durable_object_instances (class_id, last_active_at);

-- Stands for an access token once, for a few seconds; the token is sealed.
create table ambit.durable_object_tickets (
  hash text primary key,
  app_id text not null references ambit.apps (id) on delete cascade,
  credential text not null,
  class_name text,
  instance text,
  expires_at timestamptz not null
);
create index on ambit.durable_object_tickets (expires_at);

-- Storage of deleted classes that is still on a disk.
create table ambit.durable_object_remains (
  unique_key text primary key,
  app_id text not null references ambit.apps (id) on delete cascade,
  created_at timestamptz not null default now()
);
