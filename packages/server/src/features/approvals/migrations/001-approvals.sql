-- The one inbox: everything that waits for a person.
create table ambit.approvals (
  id text collate "C" primary key,
  organization_id uuid not null references ambit.organizations (id) on delete cascade,
  -- Which handler knows what approving does, e.g. substrate_action.
  kind text not null,
  -- What waits, e.g. an action's id.
  subject text not null,
  title text not null,
  reason text not null,
  -- {type, id, accountId, label}
  requester jsonb not null,
  -- The exact arguments as JSON, sealed with the master key and bound to this row's id.
  request text not null,
  -- The capability or tool among them, for filters.
  capability text,
  approvers int not null check (approvers > 0),
  status text not null default 'pending'
    check (status in ('pending', 'approved', 'rejected', 'expired', 'cancelled')),
  created_at timestamptz not null,
  expires_at timestamptz not null,
  decided_at timestamptz,
  -- What executing gave, sealed like the request.
  result text,
  -- {code, message}: why executing failed after it was approved.
  failure jsonb,
  check ((status = 'pending') = (decided_at is null))
);
create unique index approvals_live on ambit.approvals (organization_id, kind, subject) where status = 'pending';
create index approvals_subject on ambit.approvals (organization_id, kind, subject, id desc);
create index approvals_page on ambit.approvals (organization_id, id desc);
create index approvals_waiting on ambit.approvals (organization_id, (requester ->> 'id')) where status = 'pending';
create index approvals_due on ambit.approvals (expires_at) where status = 'pending';

-- Who decided what; a person counts once.
create table ambit.approval_decisions (
  approval_id text collate "C" not null references ambit.approvals (id) on delete cascade,
  account_id text not null,
  key_id text not null,
  decision text not null check (decision in ('approve', 'reject')),
  reason text,
  at timestamptz not null,
  primary key (approval_id, account_id)
);

create table ambit.approval_settings (
  organization_id uuid primary key references ambit.organizations (id) on delete cascade,
  -- Null: as soon as two members may decide.
  four_eyes boolean,
  -- Null: the server's default.
  expires_after_ms bigint check (expires_after_ms > 0),
  -- Null: every member who may decide.
  notify_emails text[]
);

-- One-time tokens of the page that were used, and its sessions that were ended, until they would have expired anyway.
create table ambit.approval_spent_tokens (
  id text primary key,
  expires_at timestamptz not null
);
create index approval_spent_tokens_due on ambit.approval_spent_tokens (expires_at);
