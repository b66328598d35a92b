-- How calls that were allowed ended upstream, by the decision's entry in the ledger.
create table ambit.gateway_ended (
  decision_id text collate "C" primary key,
  -- HTTP status; 0: there was none.
  status int not null,
  latency_ms double precision not null,
  -- Null: a plain result.
  problem text
);
