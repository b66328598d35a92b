-- Calls of tools that a rule wants a person to see first. The arguments are with the approval, sealed.
create table ambit.gateway_holds (
  id text collate "C" primary key,
  organization_id uuid not null references ambit.organizations (id) on delete cascade,
  grant_id text collate "C" not null,
  server_id uuid not null,
  tool text not null,
  -- Keyed hash of grant, server, tool and arguments.
  call_key text not null,
  -- Null only inside the transaction that makes both.
  approval_id text collate "C" unique,
  policy_id text not null,
  policy_version int not null,
  rule text not null,
  -- What the call holds of its counters until it has run or ended.
  reservations jsonb not null,
  -- The requestStates that are good, newest last.
  nonces text[] not null default '{}',
  status text not null default 'pending' check (status in
    ('pending', 'approved', 'running', 'executed', 'unknown', 'rejected', 'expired', 'cancelled')),
  created_at timestamptz not null,
  -- Until when it waits for a person.
  expires_at timestamptz not null,
  -- Until when it may be repeated.
  approved_until timestamptz,
  running_since timestamptz,
  -- The node that runs it moves this on.
  running_until timestamptz,
  ended_at timestamptz,
  -- Why it was rejected, sealed.
  reason text,
  -- The result as it was, sealed, for a while.
  result text,
  -- When a repetition was told that nobody knows whether it ran.
  told_at timestamptz,
  check ((status in ('pending', 'approved', 'running')) = (ended_at is null)),
  check (status <> 'running' or (running_since is not null and running_until is not null)),
  check (status <> 'approved' or approved_until is not null)
);
create unique index gateway_holds_live on ambit.gateway_holds (call_key)
  where status in ('pending', 'approved', 'running');
create index gateway_holds_call on ambit.gateway_holds (call_key, id desc);
create index gateway_holds_grant on ambit.gateway_holds (grant_id) where status in ('pending', 'approved');
create index gateway_holds_server on ambit.gateway_holds (server_id) where status in ('pending', 'approved');
create index gateway_holds_approved on ambit.gateway_holds (approved_until) where status = 'approved';
create index gateway_holds_running on ambit.gateway_holds (running_until) where status = 'running';
create index gateway_holds_results on ambit.gateway_holds (ended_at) where result is not null;
create index gateway_holds_ended on ambit.gateway_holds (ended_at) where ended_at is not null;
