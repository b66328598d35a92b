-- Text as search compares it: without case, accents, width and punctuation, words apart by single spaces. Characters
-- of scripts that put no spaces between words are words by themselves. The same on every server, whatever its locale;
-- features/memory/read/fold.ts does the same to what is asked for.
create function ambit.memory_fold(given text) returns text
language sql immutable strict parallel safe
return case
  when octet_length(given) = length(given) then
    regexp_replace(lower(given collate "pg_c_utf8") collate "C", '[^0-9a-z]+', ' ', 'g')
  else
    regexp_replace(
      regexp_replace(
        replace(replace(replace(
          translate(
            regexp_replace(
              lower(normalize(given, NFKD) collate "pg_unicode_fast") collate "C",
              '[\u00ad\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670\u1ab0-\u1aff\u1dc0-\u1dff\u200b-\u200f\u2060\u20d0-\u20ff\ufe00-\ufe0f\ufe20-\ufe2f\ufeff]+',
              '', 'g'),
            'ςıøłđħ', 'σioldh'),
          'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe'),
        '([\u2e80-\u2fdf\u3005-\u3007\u3040-\u30fa\u30fc-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff])', ' \1 ', 'g'),
      '[\u0001-\u002f\u003a-\u0060\u007b-\u00bf\u00d7\u00f7\u02b9-\u02ff\u055a-\u055f\u0589\u058a\u05be\u05c0\u05c3\u05c6\u05f3\u05f4\u060c\u061b\u061f\u066a-\u066d\u06d4\u0964\u0965\u2000-\u2bff\u2e00-\u2e7f\u3000-\u3004\u3008-\u303f\u30fb\ue000-\uf8ff\ufe10-\ufe6f\ufff0-\uffff\U0001f000-\U0001ffff\U000f0000-\U0010ffff]+',
      ' ', 'g')
end;

-- What a record is found by: its words with their places, title above body. Lexemes that begin with a slash let the index
-- alone answer for the organisation, the kind, the app, and for words of titles.
create function ambit.memory_vector(organization_id uuid, kind text, source_app_id text, title text, body text)
returns tsvector
language sql immutable parallel safe
begin atomic
  with title_words as (
    select left(word, 64) as word, n
    from string_to_table(ambit.memory_fold(left(title, 2000)), ' ') with ordinality as words (word, n)
    where word <> ''
  ), parts as (
    select '''' || word || ''':' || n || 'A ''/t/' || word || '''' as part from title_words
    union all
    -- Two places further than the title, so that no phrase begins there and ends in the body.
    select '''' || left(word, 64) || ''':' || least(n + (select coalesce(max(t.n), 0) + 2 from title_words t), 16383) || 'B'
    from string_to_table(ambit.memory_fold(left(body, 200000)), ' ') with ordinality as words (word, n)
    where word <> ''
  )
  select (coalesce(string_agg(part, ' '), '')
      || ' ''/o/' || left(organization_id::text, 8) || ''' ''/k/' || kind || ''''
      || case when source_app_id ~ '^[a-z0-9_]+$' then ' ''/a/' || source_app_id || '''' else '' end)::tsvector
  from parts;
end;

alter table ambit.memory_records drop column search;

-- Records as search sees them, kept by a trigger. Apart from the records, so that a search walks through little data.
create table ambit.memory_search (
  organization_id uuid not null,
  id text not null,
  kind text not null,
  subtype text,
  status text not null,
  source_app_id text,
  updated_at timestamptz not null,
  search tsvector not null,
  primary key (organization_id, id)
) with (fillfactor = 90);
create index memory_search_words on ambit.memory_search using gin (search) with (gin_pending_list_limit = 512);
create index memory_search_recent on ambit.memory_search (organization_id, updated_at desc, id desc);

-- The words there are and in how many records, and in how many of their titles: what a misspelt word can have meant, and
-- how common one is. Counted a little later than the records are written, so that writers never wait for each other; a
-- word of no record goes.
create table ambit.memory_words (
  organization_id uuid not null,
  word text collate "C" not null,
  documents int not null,
  titles int not null,
  primary key (organization_id, word)
) with (fillfactor = 75);
create index memory_words_reversed on ambit.memory_words (organization_id, reverse(word) collate "C");

-- Vectors whose words are yet to be counted, or no longer.
create table ambit.memory_words_pending (
  id bigint generated always as identity primary key,
  organization_id uuid not null,
  added tsvector,
  removed tsvector
);

create function ambit.memory_search_follow() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    with made as (
      insert into ambit.memory_search (organization_id, id, kind, subtype, status, source_app_id, updated_at, search)
      select r.organization_id, r.id, r.kind, r.subtype, r.status, r.source_app_id, r.updated_at,
        ambit.memory_vector(r.organization_id, r.kind, r.source_app_id, r.title, r.body)
      from new_rows r
      returning organization_id, search
    )
    insert into ambit.memory_words_pending (organization_id, added)
    select organization_id, strip(search) from made;
  elsif tg_op = 'UPDATE' then
    with changed as (
      update ambit.memory_search s
      set kind = r.kind, subtype = r.subtype, status = r.status, source_app_id = r.source_app_id,
        updated_at = r.updated_at,
        search = case when r.same_text then s.search
          else ambit.memory_vector(r.organization_id, r.kind, r.source_app_id, r.title, r.body) end
      from (
        select n.*, (n.title, n.body, n.kind, n.source_app_id) is not distinct from
          (o.title, o.body, o.kind, o.source_app_id) as same_text
        from new_rows n join old_rows o on o.organization_id = n.organization_id and o.id = n.id
      ) r
      where s.organization_id = r.organization_id and s.id = r.id
      returning with (old as was, new as now) s.organization_id, r.same_text, was.search as before, now.search as after
    )
    insert into ambit.memory_words_pending (organization_id, added, removed)
    select organization_id, strip(after), strip(before) from changed where not same_text;
  else
    with gone as (
      delete from ambit.memory_search s using old_rows o
      where s.organization_id = o.organization_id and s.id = o.id
      returning s.organization_id, s.search
    )
    insert into ambit.memory_words_pending (organization_id, removed)
    select g.organization_id, strip(g.search) from gone g;
  end if;
  return null;
end $$;
create trigger memory_search_made after insert on ambit.memory_records
  referencing new table as new_rows for each statement execute function ambit.memory_search_follow();
create trigger memory_search_changed after update on ambit.memory_records
  referencing old table as old_rows new table as new_rows
  for each statement execute function ambit.memory_search_follow();
create trigger memory_search_gone after delete on ambit.memory_records
  referencing old table as old_rows for each statement execute function ambit.memory_search_follow();

-- Lists: newest change first, and newest made first.
drop index ambit.memory_records_kind;
drop index ambit.memory_records_recent;
create index memory_records_changed on ambit.memory_records (organization_id, kind, updated_at desc, id desc);
create index memory_records_made on ambit.memory_records (organization_id, kind, id desc) include (subtype);
create index memory_records_own on ambit.memory_records (organization_id, source_app_id, kind, updated_at desc, id desc)
  where source_app_id is not null;
create index memory_records_principles on ambit.memory_records (organization_id, updated_at desc, id desc)
  where kind = 'decision' and subtype = 'principle';

-- What was known at an instant: what has not changed since, and the versions that were replaced since.
create index memory_versions_closed on ambit.memory_versions (organization_id, known_until) where known_until is not null;
create index memory_versions_search on ambit.memory_versions using gin (
  ambit.memory_vector(organization_id, kind, state ->> 'source_app_id', state ->> 'title', state ->> 'body'))
  with (gin_pending_list_limit = 512)
  where known_until is not null and state is not null;
