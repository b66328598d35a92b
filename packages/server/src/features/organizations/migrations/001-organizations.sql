create table ambit.organizations (
  id uuid primary key,
  name text not null,
  created_at timestamptz not null default now()
);

-- A person, known by an address. An account may belong to several organisations.
create table ambit.accounts (
  id uuid primary key,
  email text not null,
  display_name text,
  created_at timestamptz not null default now()
);
create unique index accounts_email on ambit.accounts (lower(email));

create table ambit.members (
  organization_id uuid not null references ambit.organizations (id) on delete cascade,
  account_id uuid not null references ambit.accounts (id) on delete cascade,
  role text not null check (role in ('viewer', 'developer', 'policy_manager', 'admin', 'owner')),
  created_at timestamptz not null default now(),
  primary key (organization_id, account_id)
);
create index members_account on ambit.members (account_id);
