-- The window of the log is kept by one permanent slot per database. Each node reads through a temporary copy of it,
-- which goes with the node's connection, and is known to the others by a lock of its session.
drop table ambit.realtime_nodes;

-- One row. `epoch` names the life of that slot, within which places of the log can be compared; null while it is being
-- made. `tended_at`: when a node last saw to moving it on.
create table ambit.realtime_log (
  single boolean primary key default true check (single),
  epoch text,
  tended_at timestamptz not null default '-infinity'
);
insert into ambit.realtime_log default values;

-- Where the log ended, and when.
create table ambit.realtime_log_marks (
  lsn pg_lsn primary key,
  at timestamptz not null default now()
);
