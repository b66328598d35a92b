-- How much of each limit is used, one row per counter and window.
create table ambit.gateway_counters (
  -- Scope, whose it is, the counter's name and its window's length; bytes order it, so that a prefix is a range.
  key text collate "C" not null,
  window_start timestamptz not null,
  window_end timestamptz not null,
  used bigint not null check (used >= 0),
  primary key (key, window_start)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);
create index gateway_counters_ended on ambit.gateway_counters (window_end);

-- Reserves for many requests at once, each all or none, and answers for each with 0, or with the place among its
-- reservations of the first that had no room. The requests are judged in the order given.
--
-- `keys`, `starts`, `ends` are the counters, each once and in the one order in which everybody locks them, so that nobody
-- waits in a circle. `requests` numbers, per reservation, the request it belongs to, from 1 and ascending; `counters` says
-- which counter it is about.
--
-- The commit does not wait for the disk: whatever commits after it, and waits, makes it durable too.
create function ambit.gateway_reserve(
  keys text[], starts timestamptz[], ends timestamptz[],
  requests int[], counters int[], costs bigint[], maxima bigint[], lock_timeout_ms int
) returns int[] language plpgsql as $$
declare
  fill bigint[] := '{}';
  fill_before bigint[];
  answers int[] := '{}';
  amount bigint;
  request int;
  first int := 1;
  following int;
  refused int;
begin
  perform set_config('synchronous_commit', 'off', true), set_config('lock_timeout', lock_timeout_ms::text, true);
  for i in 1 .. cardinality(keys) loop
    loop
      select c.used into amount from ambit.gateway_counters c
      where c.key = keys[i] and c.window_start = starts[i] for no key update;
      exit when found;
      -- Waits for whoever is making the same one, and looks again.
      insert into ambit.gateway_counters (key, window_start, window_end, used)
      values (keys[i], starts[i], ends[i], 0) on conflict do nothing;
    end loop;
    fill[i] := amount;
  end loop;
  fill_before := fill;

  while first <= cardinality(requests) loop
    request := requests[first];
    following := first;
    refused := 0;
    while following <= cardinality(requests) and requests[following] = request loop
      if refused = 0 then
        amount := fill[counters[following]] + costs[following];
        if amount <= maxima[following] then
          fill[counters[following]] := amount;
        else
          refused := following - first + 1;
          for undone in first .. following - 1 loop
            fill[counters[undone]] := fill[counters[undone]] - costs[undone];
          end loop;
        end if;
      end if;
      following := following + 1;
    end loop;
    answers[request] := refused;
    first := following;
  end loop;

  for i in 1 .. cardinality(keys) loop
    if fill[i] <> fill_before[i] then
      update ambit.gateway_counters c set used = fill[i] where c.key = keys[i] and c.window_start = starts[i];
    end if;
  end loop;
  return answers;
end $$;

-- Takes costs off counters, never below zero, each in its own window and nowhere else. Each counter once, in the same order
-- as above. With `lock_timeout_ms` it is a transaction by itself, which need not wait for the disk: what is lost with a
-- crash was counted too much.
create function ambit.gateway_give_back(
  keys text[], starts timestamptz[], costs bigint[], lock_timeout_ms int
) returns void language plpgsql as $$
begin
  if lock_timeout_ms is not null then
    perform set_config('synchronous_commit', 'off', true), set_config('lock_timeout', lock_timeout_ms::text, true);
  end if;
  for i in 1 .. cardinality(keys) loop
    update ambit.gateway_counters c set used = greatest(c.used - costs[i], 0)
    where c.key = keys[i] and c.window_start = starts[i];
  end loop;
end $$;
