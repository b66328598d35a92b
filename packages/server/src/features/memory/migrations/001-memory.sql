-- What an organisation knows. One table for every kind, so that one search and one history serve all of them.
create table ambit.memory_records (
  organization_id uuid not null references ambit.organizations (id) on delete cascade,
  id text not null,
  kind text not null check (kind in ('entity', 'decision', 'commitment', 'learning', 'source_artifact', 'link')),
  -- An entity's type, a decision's kind, a commitment's status …: what lists filter by besides the kind.
  subtype text,
  -- The line a list shows: display_name, title, a commitment's description cut short.
  title text not null,
  -- What is searched besides the title.
  body text not null default '',
  -- active, superseded, retired for decisions; a commitment's own status.
  status text not null default 'active',
  -- Every field of the record, as its capability defines it; `title`, `status` and `subtype` are taken from it.
  data jsonb not null,
  source_app_id text,
  -- The action that made this version.
  action_id text not null,
  created_by_action text not null,
  version int not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  search tsvector generated always as (
    setweight(to_tsvector('simple', title), 'A') || setweight(to_tsvector('simple', body), 'B')) stored,
  primary key (organization_id, id)
);
create index memory_records_search on ambit.memory_records using gin (search);
create index memory_records_recent on ambit.memory_records (organization_id, updated_at desc, id desc);
create index memory_records_kind on ambit.memory_records (organization_id, kind, subtype, updated_at desc, id desc);

-- Every version there ever was, also of what is deleted (state null). Written with the change, never changed but to
-- close it and to erase what somebody may ask to have erased.
create table ambit.memory_versions (
  organization_id uuid not null,
  record_id text not null,
  version int not null,
  kind text not null,
  action_id text not null,
  -- The record as it was from then on, fields named as the columns of memory_records, times in ISO 8601; null: it was
  -- deleted.
  state jsonb,
  -- Set by a revert: whose state it has put back (0: before the first). What an action did stands as long as the last
  -- version, followed through this, leads to it.
  restores int,
  known_from timestamptz not null,
  known_until timestamptz,
  primary key (organization_id, record_id, version)
);
create index memory_versions_action on ambit.memory_versions (organization_id, action_id);
create index memory_versions_known on ambit.memory_versions (organization_id, known_from);

-- What a record is known by; two records of a type can't share a key: that is what makes deduplication safe. Follows
-- from `data`. Besides entities, source artifacts have theirs (type `#source_artifact`, name external_system, value
-- external_id) and links (type `#link`, name relation, value `<from_id> <to_id>`).
create table ambit.memory_identities (
  organization_id uuid not null,
  type text not null,
  -- A key of canonical_keys, `email`, or `app_user`.
  name text not null,
  -- Normalised (e-mail in lower case).
  value text not null,
  entity_id text not null,
  primary key (organization_id, type, name, value),
  foreign key (organization_id, entity_id) references ambit.memory_records (organization_id, id)
    on delete cascade deferrable initially deferred
);
create index memory_identities_entity on ambit.memory_identities (organization_id, entity_id);

-- Ids that a merge took away; follows from the winner's `merged_ids`.
create table ambit.memory_aliases (
  organization_id uuid not null,
  alias_id text not null,
  entity_id text not null,
  action_id text not null,
  primary key (organization_id, alias_id)
);
create index memory_aliases_entity on ambit.memory_aliases (organization_id, entity_id);

-- Which record names which, and in which field; follows from `data`. What is named can't be gone.
create table ambit.memory_references (
  organization_id uuid not null,
  from_id text not null,
  field text not null,
  to_id text not null,
  primary key (organization_id, from_id, field, to_id),
  foreign key (organization_id, from_id) references ambit.memory_records (organization_id, id)
    on delete cascade deferrable initially deferred,
  foreign key (organization_id, to_id) references ambit.memory_records (organization_id, id)
    deferrable initially deferred
);
create index memory_references_to on ambit.memory_references (organization_id, to_id);
