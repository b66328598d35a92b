/**
 * Everything about an app's tables as one JSON value, from the catalogue alone.
 * $1 schema, $2 role of anonymous callers, $3 role of end users, $4 a single table or null for all that are not
 * reserved. Must run with the app's search_path: names and expressions come back as they are seen there.
 */
export const CATALOG_SQL = `
select json_build_object(
  'tables', coalesce((
    select json_agg(json_build_object(
      'name', c.relname,
      'comment', obj_description(c.oid, 'pg_class'),
      'rlsEnabled', c.relrowsecurity,
      'wholeReaders', array_remove(array[
        case when has_table_privilege($2::name, c.oid, 'select') then 'anon' end,
        case when has_table_privilege($3::name, c.oid, 'select') then 'user' end], null),
      'policies', array(select p.polname from pg_policy p where p.polrelid = c.oid order by 1),
      'triggers', array(select t.tgname from pg_trigger t where t.tgrelid = c.oid and not t.tgisinternal order by 1),
      'columns', (select json_agg(json_build_object(
          'name', a.attname,
          'type', case when tn.nspname = 'pg_catalog' then format_type(a.atttypid, a.atttypmod)
            else regexp_replace(format_type(a.atttypid, a.atttypmod), '^("[^"]+"|[^".]+)\\.', '') end,
          'notNull', a.attnotnull,
          'identity', a.attidentity,
          'generated', a.attgenerated <> '',
          'default', pg_get_expr(d.adbin, d.adrelid),
          'sequence', (select s.relname from pg_depend o join pg_class s on s.oid = o.objid and s.relkind = 'S'
            where o.classid = 'pg_class'::regclass and o.refclassid = 'pg_class'::regclass
              and o.refobjid = c.oid and o.refobjsubid = a.attnum and o.deptype = 'a'
              and exists (select from pg_depend u where u.classid = 'pg_attrdef'::regclass and u.objid = d.oid
                and u.refclassid = 'pg_class'::regclass and u.refobjid = s.oid)),
          'comment', col_description(c.oid, a.attnum),
          'hiddenFrom', array_remove(array[
            case when not has_column_privilege($2::name, c.oid, a.attnum, 'select') then 'anon' end,
            case when not has_column_privilege($3::name, c.oid, a.attnum, 'select') then 'user' end], null)
        ) order by a.attnum)
        from pg_attribute a
        join pg_type t on t.oid = a.atttypid join pg_namespace tn on tn.oid = t.typnamespace
        left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped),
      'constraints', (select json_agg(json_build_object(
          'name', k.conname,
          'kind', k.contype,
          'columns', array(select a.attname from unnest(k.conkey) with ordinality u (n, o)
            join pg_attribute a on a.attrelid = k.conrelid and a.attnum = u.n order by u.o),
          'expression', case when k.contype = 'c' then pg_get_expr(k.conbin, k.conrelid) end,
          'refTable', r.relname,
          'refColumns', array(select a.attname from unnest(k.confkey) with ordinality u (n, o)
            join pg_attribute a on a.attrelid = k.confrelid and a.attnum = u.n order by u.o),
          'onDelete', k.confdeltype,
          'onUpdate', k.confupdtype
        ) order by k.conname)
        from pg_constraint k left join pg_class r on r.oid = k.confrelid
        where k.conrelid = c.oid and k.contype in ('p', 'u', 'c', 'f')),
      'indexes', (select json_agg(json_build_object(
          'name', ic.relname,
          'unique', i.indisunique,
          'method', am.amname,
          'where', pg_get_expr(i.indpred, i.indrelid),
          'columns', array(select distinct a.attname from pg_depend d
            join pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
            where d.classid = 'pg_class'::regclass and d.objid = i.indexrelid
              and d.refclassid = 'pg_class'::regclass and d.refobjid = c.oid and d.refobjsubid > 0),
          'keys', (select json_agg(json_build_object(
              'column', a.attname,
              'expression', case when a.attname is null then pg_get_indexdef(i.indexrelid, n, false) end,
              'opclass', case when oc.opcdefault then null else oc.opcname end,
              'option', i.indoption[n - 1]
            ) order by n)
            from generate_series(1, i.indnkeyatts) n
            join pg_opclass oc on oc.oid = i.indclass[n - 1]
            left join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[n - 1] and a.attnum > 0)
        ) order by ic.relname)
        from pg_index i join pg_class ic on ic.oid = i.indexrelid join pg_am am on am.oid = ic.relam
        where i.indrelid = c.oid
          and not exists (select from pg_constraint k where k.conindid = i.indexrelid and k.contype in ('p', 'u', 'x')))
    ) order by c.relname)
    from pg_class c
    where c.relnamespace = n.oid and c.relkind in ('r', 'p')
      and (case when $4::text is null then c.relname !~ '^_' else c.relname = $4::text end)), '[]'),
  'enums', coalesce((
    select json_agg(json_build_object('name', t.typname, 'values',
      array(select e.enumlabel from pg_enum e where e.enumtypid = t.oid order by e.enumsortorder)) order by t.typname)
    from pg_type t where t.typnamespace = n.oid and t.typtype = 'e'), '[]'),
  'extensionTypes', array(
    select t.typname from pg_type t
    where t.typname in ('citext', 'vector') and pg_type_is_visible(t.oid))
) as catalog
from pg_namespace n where n.nspname = $1`;
