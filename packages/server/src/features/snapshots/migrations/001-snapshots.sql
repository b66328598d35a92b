-- How much an organisation knew, day by day; the row of a day that is not over is taken anew now and then.
create table ambit.substrate_snapshots (
  organization_id uuid not null references ambit.organizations (id) on delete cascade,
  -- In UTC.
  snapshot_date date not null,
  -- entity_count, decision_count, decision_count_24h, …
  counts jsonb not null,
  taken_at timestamptz not null,
  primary key (organization_id, snapshot_date)
);
create index substrate_snapshots_date on ambit.substrate_snapshots (snapshot_date);
