-- Every proposed write to an organisation's memory, with its verdict and its outcome.
create table ambit.substrate_actions (
  organization_id uuid not null references ambit.organizations (id) on delete cascade,
  id text not null,
  capability text not null,
  payload jsonb not null,
  status text not null check (status in ('proposed', 'executed', 'rejected', 'failed')),
  -- {result, reason, conflicts}
  verdict jsonb not null,
  result jsonb,
  -- {code, message} of an execution that failed after it was approved.
  error jsonb,
  proposer_kind text not null check (proposer_kind in ('human', 'agent', 'app', 'rule')),
  proposer_id text not null,
  proposer_account_id uuid,
  source_app_id text,
  source_rule_id text,
  trigger_context text,
  idempotency_key text,
  -- SHA-256 of the canonical {capability, payload}: the same key with another payload is refused.
  payload_hash text not null,
  approved_by text,
  approved_by_kind text,
  rejected_reason text,
  -- The action that undid this one.
  reverted_by text,
  -- The ledger's entry about the proposal; the execution has another with the same subject.
  ledger_entry_id text not null,
  proposed_at timestamptz not null,
  executed_at timestamptz,
  decided_at timestamptz,
  primary key (organization_id, id)
);
create unique index substrate_actions_idempotency on ambit.substrate_actions (organization_id, idempotency_key)
  where idempotency_key is not null;
create index substrate_actions_capability on ambit.substrate_actions (organization_id, capability, executed_at)
  where status = 'executed';
create index substrate_actions_status on ambit.substrate_actions (organization_id, status, id desc);

create table ambit.substrate_settings (
  organization_id uuid primary key references ambit.organizations (id) on delete cascade,
  yolo_mode boolean not null default false,
  updated_at timestamptz not null default now()
);

-- What an owner set for a capability; without a row its default holds.
create table ambit.substrate_policies (
  organization_id uuid not null references ambit.organizations (id) on delete cascade,
  capability text not null,
  mode text not null check (mode in ('auto', 'approval', 'forbidden')),
  approvers int not null default 1 check (approvers between 1 and 10),
  updated_at timestamptz not null default now(),
  primary key (organization_id, capability)
);

-- A proposal that a principle stood against.
create table ambit.substrate_conflicts (
  organization_id uuid not null references ambit.organizations (id) on delete cascade,
  id text not null,
  action_id text not null,
  principle_id text not null,
  reason text not null,
  status text not null default 'open' check (status in ('open', 'resolved')),
  resolution text,
  resolution_reason text,
  resolved_by text,
  created_at timestamptz not null,
  resolved_at timestamptz,
  primary key (organization_id, id)
);
create index substrate_conflicts_action on ambit.substrate_conflicts (organization_id, action_id);
