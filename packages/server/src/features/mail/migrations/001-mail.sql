-- Mail on its way out, or kept for the developers of the app where no SMTP server is configured.
create table ambit.mails (
  id uuid primary key default uuidv7(),
  app_id text not null references ambit.apps (id) on delete cascade,
  recipient text not null,
  kind text not null,
  -- Subject, text and codes, sealed with the master key: they open accounts.
  sealed text not null,
  -- When to try next; null for mail that is kept.
  send_after timestamptz,
  attempts int not null default 0,
  created_at timestamptz not null
);
create index mails_app on ambit.mails (app_id, id desc);
create index mails_due on ambit.mails (send_after) where send_after is not null;
