-- What was changed, by whom, with which outcome. Rows outlive the app they speak of.
create table ambit.audit_log (
  id uuid primary key default uuidv7(),
  app_id text,
  organization_id uuid,
  category text not null,
  event_type text not null,
  action text not null,
  resource_type text not null,
  resource_id text,
  actor_type text not null,
  actor_id text,
  event_data jsonb not null,
  ip_address text not null,
  user_agent text not null,
  success boolean not null,
  error_message text,
  correlation_id text not null,
  created_at timestamptz not null default now()
);
create index audit_log_app on ambit.audit_log (app_id, id desc);
