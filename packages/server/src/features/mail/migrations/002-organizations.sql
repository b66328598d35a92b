-- Mail to an organisation's own members belongs to the organisation, as mail to an app's users belongs to the app.
alter table ambit.mails
  alter column app_id drop not null,
  add column organization_id uuid references ambit.organizations (id) on delete cascade,
  add constraint mails_owner check (num_nonnulls(app_id, organization_id) = 1);
create index mails_organization on ambit.mails (organization_id, id desc) where organization_id is not null;
