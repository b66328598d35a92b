-- What happened, in the order in which it was committed as far as anyone could tell. These four tables only grow: the
-- role that serves requests may read them and insert, and nothing else.
create table ambit.ledger_entries (
  -- Drawn right before the commit. Numbers are missing where a transaction was undone.
  seq bigint generated always as identity primary key,
  -- `led_` and a ULID: of one node's entries the later one is larger.
  id text collate "C" not null,
  organization_id uuid,
  app_id text,
  kind text not null,
  subject text,
  at timestamptz not null,
  -- Canonical JSON (RFC 8785); its UTF-8 bytes are the leaf of the tree.
  entry text not null,
  unique nulls not distinct (organization_id, id)
);
create index ledger_entries_subject on ambit.ledger_entries (subject, seq) where subject is not null;

-- The leaves of the Merkle tree (RFC 9162): which entry has which place.
create table ambit.ledger_leaves (
  index bigint primary key,
  seq bigint not null unique,
  hash bytea not null check (octet_length(hash) = 32)
);

-- Every eighth level of the tree above the leaves: the root over the 256^level leaves from index * 256^level on, written
-- once, when they are all there.
create table ambit.ledger_tiles (
  level smallint not null check (level > 0),
  index bigint not null,
  hash bytea not null check (octet_length(hash) = 32),
  primary key (level, index)
);

create table ambit.ledger_checkpoints (
  size bigint primary key,
  -- A signed note, https://c2sp.org/tlog-checkpoint
  note text not null,
  at timestamptz not null
);
