-- Who may hear and say what in rooms and channels whose names match a pattern: SQL conditions, as policies are.
-- `steady`: the condition says the same for the same name and claims, whatever time it is and whatever tables hold.
create table ambit.realtime_rules (
  app_id text not null references ambit.apps (id) on delete cascade,
  pattern text not null,
  receive text not null,
  send text not null,
  receive_steady boolean not null,
  send_steady boolean not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (app_id, pattern)
);

-- Asks a condition about several names, each for a caller of its own, in one call. `query` gives one boolean for the
-- name it is given. Where it fails there is no verdict but the SQLSTATE: the message may hold values of rows the caller
-- must not see. Stops early, after at least one question, when `budget_ms` is over.
-- Runs with the rights of whoever calls it, who gains nothing by it beyond the SQL they could run themselves.
create function ambit_helpers.judge_names(
  query text, names text[], as_role text, claims text[], subjects text[], budget_ms int
) returns table (verdict boolean, problem text)
language plpgsql volatile security invoker
as $$
declare
  started timestamptz := clock_timestamp();
begin
  for i in 1 .. cardinality(names) loop
    exit when i > 1 and clock_timestamp() - started > make_interval(secs => budget_ms / 1000.0);
    perform set_config('role', as_role, true),
            set_config('request.jwt.claims', claims[i], true),
            set_config('request.jwt.claim.sub', subjects[i], true);
    begin
      execute query into verdict using names[i];
      problem := null;
    exception when others then
      verdict := null;
      problem := sqlstate;
    end;
    return next;
  end loop;
end $$;
revoke execute on function ambit_helpers.judge_names(text, text[], text, text[], text[], int) from public;
grant execute on function ambit_helpers.judge_names(text, text[], text, text[], text[], int)
  to butterbase_anon, butterbase_user;
