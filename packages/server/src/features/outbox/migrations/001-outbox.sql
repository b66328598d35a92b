-- Who is told when something happens in an organisation's substrate.
create table ambit.outbox_targets (
  id uuid primary key,
  organization_id uuid not null references ambit.organizations (id) on delete cascade,
  -- A capability, `approval.requested` or `approval.decided`.
  capability text not null,
  -- Only what this app caused; null: whatever caused it.
  source_app_id text references ambit.apps (id) on delete cascade,
  webhook_url text not null,
  -- The signing secret, sealed with the master key.
  sealed_secret text not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  unique nulls not distinct (organization_id, capability, source_app_id)
);

-- What is to be told, once per event and target.
create table ambit.outbox (
  id text primary key,
  organization_id uuid not null references ambit.organizations (id) on delete cascade,
  target_id uuid not null,
  -- Which target it was, so that one that was removed and set again is found.
  target_app_id text,
  -- Where it goes, or went last.
  target_url text not null,
  capability text not null,
  -- The action or approval it is about.
  subject text not null,
  source_app_id text,
  -- The same on every try: what the receiver knows the event by.
  delivery_id uuid not null,
  -- The very bytes that are signed and sent; null once they were delivered.
  body text,
  state text not null check (state in ('pending', 'failed', 'delivered', 'dead', 'cancelled')),
  attempts int not null default 0,
  -- When it is tried next; null when it is not.
  next_attempt_at timestamptz,
  -- The node that is at it now, and until when the others leave it to that node.
  claim uuid,
  leased_until timestamptz,
  last_status int,
  last_error text,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  delivered_at timestamptz,
  check (state = 'delivered' or body is not null)
);
create index outbox_waiting on ambit.outbox (target_id, next_attempt_at) where state in ('pending', 'failed');
create index outbox_list on ambit.outbox (organization_id, id desc);
create index outbox_state on ambit.outbox (organization_id, state, id desc);
create index outbox_subject on ambit.outbox (organization_id, subject);
create index outbox_ended on ambit.outbox (updated_at) where state in ('delivered', 'dead', 'cancelled');
