-- Roles that policies name. They own nothing and hold no grants; each app's own roles are members of them.
-- They belong to the whole server: another database of it may be making them at this moment.
do $$ declare name text; begin
  foreach name in array array['butterbase_anon', 'butterbase_user', 'butterbase_service'] loop
    begin
      if not exists (select from pg_roles where rolname = name) then execute format('create role %I nologin', name); end if;
    exception when duplicate_object or unique_violation then null;
    end;
  end loop;
end $$;

-- Nobody but Ambit reaches this database or leaves anything in it unless granted. Temporary tables would shadow an
-- app's tables on a pooled connection.
do $$ begin
  execute format('revoke all on database %I from public', current_database());
end $$;
do $$ begin
  revoke all on schema public from public;
exception when insufficient_privilege then null; -- It is not ours; on a server of our own it is closed already.
end $$;
revoke all on schema ambit from public;

create schema if not exists extensions;
create extension if not exists pg_trgm with schema extensions;
create extension if not exists citext with schema extensions;

create schema if not exists ambit_helpers;

-- The id of the end user the current statement runs for, as text; null for anyone else.
create or replace function ambit_helpers.current_user_id() returns text
language sql stable parallel safe
as $$ select nullif(current_setting('request.jwt.claim.sub', true), '') $$;

-- Marks a place in the write-ahead log at which an app's tables, grants or policies changed, so that readers of the
-- log take the change over exactly there. The app is the session's own login and can't be forged.
create or replace function ambit_helpers.announce_change(what text) returns void
language sql volatile security definer
set search_path = pg_catalog
as $$ select pg_catalog.pg_logical_emit_message(true, 'ambit.change',
        pg_catalog.json_build_object('app', session_user, 'what', what)::text) $$;

do $$ begin
  revoke execute on function pg_catalog.pg_logical_emit_message(boolean, text, text, boolean) from public;
  revoke execute on function pg_catalog.pg_logical_emit_message(boolean, text, bytea, boolean) from public;
exception when insufficient_privilege then
  raise notice 'pg_logical_emit_message stays executable by everyone: this role may not revoke it';
end $$;
