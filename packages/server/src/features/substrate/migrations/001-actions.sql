-- Every proposed write to an organisation's memory, with its verdict and its outcome.
create table ambit.substrate_actions (
  organization_id uuid not null references ambit.organizations (id) on delete cascade,
  id text collate "C" not null,
  capability text not null,
  payload jsonb not null,
  status text not null check (status in ('proposed', 'executed', 'rejected', 'failed')),
  -- {result, reason, conflicts}
  verdict jsonb not null,
  result jsonb,
  -- {code, message} of an execution that failed after it was approved.
  error jsonb,
  -- Which records it made, changed or deleted: [{id, kind, change}], cut to a limit; what they were is in the memory.
  changes jsonb not null default '[]',
  changes_count int not null default 0,
  proposer_kind text not null check (proposer_kind in ('human', 'agent', 'app', 'rule')),
  proposer_id text not null,
  proposer_account_id uuid,
  proposer_label text not null,
  source_app_id text,
  source_rule_id text,
  trigger_context text,
  idempotency_key text,
  -- HMAC-SHA-256 of the canonical {capability, payload} as they were sent: the same key with another payload is
  -- refused, also once the payload has been erased, and the hash tells nobody what it was.
  payload_hash text not null,
  -- The inbox's row about it, when it waits or waited for a person.
  approval_id text,
  approved_by text,
  approved_by_kind text,
  rejected_reason text,
  -- The action that undid this one.
  reverted_by text,
  -- The ledger's entry about the proposal; what came of it later has others with the same subject.
  ledger_entry_id text not null,
  proposed_at timestamptz not null,
  executed_at timestamptz,
  decided_at timestamptz,
  erased_at timestamptz,
  primary key (organization_id, id)
);
create unique index substrate_actions_idempotency on ambit.substrate_actions (organization_id, idempotency_key)
  where idempotency_key is not null;
-- What principles with a window count and add up.
create index substrate_actions_executed on ambit.substrate_actions (organization_id, executed_at, capability)
  where status = 'executed';
create index substrate_actions_status on ambit.substrate_actions (organization_id, status, id desc);
create index substrate_actions_capability on ambit.substrate_actions (organization_id, capability, id desc);
create index substrate_actions_app on ambit.substrate_actions (organization_id, source_app_id, id desc)
  where source_app_id is not null;
create index substrate_actions_rule on ambit.substrate_actions (organization_id, source_rule_id, id desc)
  where source_rule_id is not null;

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
  id text collate "C" not null,
  action_id text not null,
  principle_id text not null,
  -- The principle's title as it was then.
  title text not null,
  reason text not null,
  status text not null default 'open' check (status in ('open', 'resolved')),
  -- approve, reject or dismiss: what became of it.
  resolution text,
  resolution_reason text,
  resolved_by text,
  created_at timestamptz not null,
  resolved_at timestamptz,
  primary key (organization_id, id)
);
create index substrate_conflicts_status on ambit.substrate_conflicts (organization_id, status, id desc);
create index substrate_conflicts_action on ambit.substrate_conflicts (organization_id, action_id);
