import type { Queryable } from "../../../engines/postgres/database.ts";

/** What the catalogue says of an app's schema, line by line and apart from the order of columns: the test oracle. */
const DUMP_SQL = `
with rel as (select c.* from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = $1)
select coalesce(string_agg(line, E'\\n' order by line), '') as dump from (
  select format('table %s rls=%s acl=%s comment=%s', relname, relrowsecurity,
    (select string_agg(x::text, ',' order by x::text) from unnest(relacl) x), obj_description(oid, 'pg_class')) as line
  from rel where relkind = 'r'
  union all
  select format('column %s.%s %s notnull=%s identity=%s generated=%s default=%s acl=%s comment=%s', r.relname, a.attname,
    format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated,
    pg_get_expr(d.adbin, d.adrelid),
    (select string_agg(x::text, ',' order by x::text) from unnest(a.attacl) x), col_description(r.oid, a.attnum))
  from rel r join pg_attribute a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
  left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
  where r.relkind = 'r'
  union all
  select format('constraint %s on %s: %s', k.conname, r.relname, pg_get_constraintdef(k.oid))
  from rel r join pg_constraint k on k.conrelid = r.oid where k.contype <> 'n'
  union all
  select format('index %s', pg_get_indexdef(i.indexrelid)) from rel r join pg_index i on i.indrelid = r.oid
  union all
  select format('sequence %s %s owned by %s', r.relname, s.seqtypid::regtype, d.refobjid::regclass)
  from rel r join pg_sequence s on s.seqrelid = r.oid
  left join pg_depend d on d.classid = 'pg_class'::regclass and d.objid = r.oid and d.deptype in ('a', 'i')
  union all
  select format('enum %s %s', t.typname, (select string_agg(e.enumlabel, ',' order by e.enumsortorder)
    from pg_enum e where e.enumtypid = t.oid))
  from pg_type t join pg_namespace n on n.oid = t.typnamespace where n.nspname = $1 and t.typtype = 'e'
) lines`;

/** The dump with the app's own name taken out, so that two apps can be compared. */
export async function dumpSchema(db: Queryable, appId: string): Promise<string> {
  const [row] = await db.query<{ dump: string }>(DUMP_SQL, [appId]);
  return row!.dump.replaceAll(appId, "APP");
}
