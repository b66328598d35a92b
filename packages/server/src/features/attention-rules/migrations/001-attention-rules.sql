-- Standing orders: at certain times, look, and propose something for what is found.
create table ambit.attention_rules (
  organization_id uuid not null references ambit.organizations (id) on delete cascade,
  id text primary key,
  name text not null,
  description text,
  -- Five fields, UTC.
  trigger_cron text not null,
  condition_mode text not null check (condition_mode in ('snapshot_predicate', 'row_query')),
  condition jsonb not null,
  action_capability text not null,
  action_payload_template jsonb not null,
  enabled boolean not null,
  -- Proposals per day (UTC); null: no bound.
  max_fires_per_day int check (max_fires_per_day > 0),
  -- The member who made it, and the one who changed it last.
  created_by uuid not null,
  updated_by uuid not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  last_fired_at timestamptz,
  -- When its time comes next; null while it is off.
  next_fire_at timestamptz,
  -- The node that is at it now, and until when the others leave it to that node.
  claim uuid,
  leased_until timestamptz
);
create index attention_rules_due on ambit.attention_rules (next_fire_at) where next_fire_at is not null;

-- What a rule did when its time had come; one per rule and time.
create table ambit.attention_rule_firings (
  organization_id uuid not null,
  id text primary key,
  rule_id text not null references ambit.attention_rules (id) on delete cascade,
  status text not null check (status in ('running', 'fired', 'skipped', 'failed', 'capped')),
  -- How many things the condition held for.
  binding_count int not null,
  -- What it proposed.
  action_ids text[] not null default '{}',
  reason text,
  -- While it runs: the proposals, as they were decided on. What broke off goes on with exactly these.
  plan jsonb,
  attempts int not null default 1,
  -- Times before this one that passed without a firing.
  missed int not null,
  scheduled_at timestamptz not null,
  fired_at timestamptz not null,
  unique (rule_id, scheduled_at),
  check ((status = 'running') = (plan is not null))
);
create index attention_rule_firings_rule on ambit.attention_rule_firings (rule_id, id desc);
create index attention_rule_firings_day on ambit.attention_rule_firings (rule_id, fired_at);
create index attention_rule_firings_ended on ambit.attention_rule_firings (fired_at);
