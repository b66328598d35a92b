-- A ticket opens one stream, once. Only its SHA-256 is kept: the ticket itself carries 160 random bits.
create table ambit.substrate_tickets (
  hash text primary key,
  organization_id uuid not null references ambit.organizations (id) on delete cascade,
  -- On whose behalf: a key, or the code of a linked app.
  key_id uuid references ambit.api_keys (id) on delete cascade,
  app_id text references ambit.apps (id) on delete cascade,
  expires_at timestamptz not null,
  check (num_nonnulls(key_id, app_id) = 1)
);
create index substrate_tickets_organization on ambit.substrate_tickets (organization_id, expires_at);
create index substrate_tickets_expired on ambit.substrate_tickets (expires_at);

-- The log carries of a changed row some columns of the new image, and of the old one only the key. What else decides who
-- may hear of the change goes in front of it, as a message of the same transaction: what the row was like where it is
-- deleted or comes to be something else, and what a link joins.
create function ambit.memory_link_ends(organization uuid, data jsonb) returns json
language sql stable
return (
  select json_agg((
    select json_build_object('kind', r.kind, 'subtype', r.subtype) from ambit.memory_records r
    where r.organization_id = organization and r.id = ends.id))
  from (values (data ->> 'from_id'), (data ->> 'to_id')) as ends (id)
);

create function ambit.announce_memory_change() returns trigger
language plpgsql
as $$
declare
  note jsonb := '{}';
begin
  if tg_op <> 'INSERT' then
    note := jsonb_build_object('organization_id', old.organization_id, 'id', old.id, 'before', jsonb_build_object(
      'kind', old.kind, 'subtype', old.subtype, 'source_app_id', old.source_app_id,
      'ends', case when old.kind = 'link' then ambit.memory_link_ends(old.organization_id, old.data) end));
  end if;
  if tg_op <> 'DELETE' then
    note := note || jsonb_build_object('organization_id', new.organization_id, 'id', new.id,
      'ends', case when new.kind = 'link' then ambit.memory_link_ends(new.organization_id, new.data) end);
  end if;
  perform pg_logical_emit_message(true, 'ambit.memory', note::text);
  return case when tg_op = 'DELETE' then old else new end;
end $$;

create trigger announce_insert before insert on ambit.memory_records
  for each row when (new.kind = 'link') execute function ambit.announce_memory_change();
create trigger announce_update before update on ambit.memory_records
  for each row
  when (old.kind = 'link' or old.source_app_id is distinct from new.source_app_id
    or (old.kind = 'entity' and old.subtype is distinct from new.subtype))
  execute function ambit.announce_memory_change();
create trigger announce_delete before delete on ambit.memory_records
  for each row execute function ambit.announce_memory_change();

-- The key alone does not say whose a deleted rule was.
create unique index attention_rules_logged on ambit.attention_rules (organization_id, id);
alter table ambit.attention_rules replica identity using index attention_rules_logged;
create unique index attention_rule_firings_logged on ambit.attention_rule_firings (organization_id, id);
alter table ambit.attention_rule_firings replica identity using index attention_rule_firings_logged;
