create table ambit.apps (
  id text primary key,
  organization_id uuid not null references ambit.organizations (id),
  name text not null,
  subdomain text not null unique,
  access_mode text not null check (access_mode in ('public', 'authenticated')),
  status text not null check (status in ('provisioning', 'ready', 'deleting')),
  paused_at timestamptz,
  paused_reason text,
  allowed_origins text[] not null default '{}',
  jwt_config jsonb not null default '{"accessTokenTtl": "1h", "refreshTokenTtlDays": 7}',
  storage_config jsonb not null default '{"publicReadEnabled": false, "storageLimitBytes": 1073741824, "maxFileSizeMb": 10}',
  auth_config jsonb not null default '{}',
  auth_hook_function text,
  visibility text not null default 'private' check (visibility in ('private', 'public')),
  listed boolean not null default false,
  -- Name → value sealed with the master key.
  env jsonb not null default '{}',
  env_updated_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (organization_id, name)
);
