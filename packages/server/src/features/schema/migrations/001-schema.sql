-- The history of each app's schema.
create table ambit.schema_migrations (
  id uuid primary key default uuidv7(),
  app_id text not null references ambit.apps (id) on delete cascade,
  description text not null,
  applied_sql text not null,
  -- The transaction that carries the change, on the app's own login; Postgres knows whether it was committed.
  transaction_id xid8 not null,
  -- False until the outcome of that transaction has been read.
  settled boolean not null default false,
  applied_at timestamptz not null default clock_timestamp()
);
create index schema_migrations_app on ambit.schema_migrations (app_id, id);
