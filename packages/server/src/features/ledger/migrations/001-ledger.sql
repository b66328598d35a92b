-- Where the tree stands. One row.
create table ambit.ledger_head (
  one boolean primary key default true check (one),
  -- Names this ledger wherever its checkpoints go.
  id uuid not null default gen_random_uuid(),
  tree_size bigint not null default 0,
  -- Every entry up to this number is in the tree or in one of the gaps, or will never be.
  high_seq bigint not null default 0,
  -- Numbers up to high_seq that were not to be seen yet: from, to, and the transaction before which everyone who could
  -- still fill the gap had begun.
  gap_from bigint[] not null default '{}',
  gap_to bigint[] not null default '{}',
  gap_until xid8[] not null default '{}',
  -- The node that places entries, and until when it may.
  holder uuid,
  lease_until timestamptz not null default '-infinity'
) with (fillfactor = 20);
insert into ambit.ledger_head default values;

-- What opens the commitments of entries: name → JSON text of {salt, value}. As text within, because not every JSON value
-- has a jsonb form. Erasing a value means removing it here.
create table ambit.ledger_openings (
  -- Of the entry.
  seq bigint primary key,
  organization_id uuid,
  openings jsonb not null,
  -- Of the openings as they were written.
  bytes int not null
);
