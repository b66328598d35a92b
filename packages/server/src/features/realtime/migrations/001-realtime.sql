-- Tables whose changes are broadcast. The oid finds a table again after it was renamed.
create table ambit.realtime_tables (
  app_id text not null references ambit.apps (id) on delete cascade,
  table_name text not null,
  table_oid oid not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (app_id, table_name)
);

-- Running servers and their replication slots. A slot whose node has gone silent is dropped by the others.
create table ambit.realtime_nodes (
  id text primary key,
  slot text not null unique,
  heartbeat_at timestamptz not null
);

-- Judges rows of the log for several callers of one role, each with their own claims, in one call. `query` gives one
-- '1' or '0' per row of `cells`. A caller for whom it fails gets no verdict and the SQLSTATE instead: the message may
-- hold values of rows they must not see. Stops early, after at least one caller, when `budget_ms` is over.
-- Runs with the rights of whoever calls it, who gains nothing by it beyond the SQL they could run themselves.
create function ambit_helpers.judge_rows(
  query text, cells text[], as_role text, claims text[], subjects text[], budget_ms int
) returns table (verdict text, problem text)
language plpgsql volatile security invoker
as $$
declare
  started timestamptz := clock_timestamp();
begin
  for i in 1 .. cardinality(claims) loop
    exit when i > 1 and clock_timestamp() - started > make_interval(secs => budget_ms / 1000.0);
    perform set_config('role', as_role, true),
            set_config('request.jwt.claims', claims[i], true),
            set_config('request.jwt.claim.sub', subjects[i], true);
    begin
      execute query into verdict using cells;
      problem := null;
    exception when others then
      verdict := null;
      problem := sqlstate;
    end;
    return next;
  end loop;
end $$;
revoke execute on function ambit_helpers.judge_rows(text, text[], text, text[], text[], int) from public;
grant execute on function ambit_helpers.judge_rows(text, text[], text, text[], text[], int)
  to butterbase_anon, butterbase_user;
