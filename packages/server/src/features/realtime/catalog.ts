import type { Queryable } from "../../engines/postgres/database.ts";
import { tenantRole } from "../../engines/postgres/tenant.ts";
import { COLUMN_FACTS } from "./filters/column-facts.ts";
import { BROADCAST, WATCHED } from "./publications.ts";
import { type CatalogColumn, type CatalogPolicy, noTable, type TableView, viewOf } from "./table-view.ts";

/** What changes the view of a table beside its own rows: `root` is a table, `oid` and `name` one that its policies read. */
export const DEPENDENCIES = `
  with recursive reached (root, kind, object) as (
    select c.oid, 'pg_class'::regclass::oid, c.oid from pg_class c where c.oid = any ($1)
    union
    select r.root, d.refclassid, d.refobjid
    from reached r
    cross join lateral (
      select 'pg_policy'::regclass::oid, p.oid from pg_policy p
        where r.kind = 'pg_class'::regclass and p.polrelid = r.object
      union all
      select 'pg_rewrite'::regclass::oid, w.oid from pg_rewrite w
        where r.kind = 'pg_class'::regclass and w.ev_class = r.object
      union all
      select r.kind, r.object where r.kind = 'pg_proc'::regclass
    ) as by (kind, object)
    join pg_depend d on d.classid = by.kind and d.objid = by.object and d.refobjid <> r.object
      and d.refclassid in ('pg_class'::regclass, 'pg_proc'::regclass)
  )
  select r.root, c.oid, c.relname as name,
    exists (select from pg_publication_rel m join pg_publication p on p.oid = m.prpubid
            where m.prrelid = c.oid and p.pubname = '${WATCHED}') as watched
  from reached r
  join pg_class c on c.oid = r.object and r.kind = 'pg_class'::regclass and c.relkind = 'r'
    and c.relpersistence = 'p'
  join pg_namespace n on n.oid = c.relnamespace
  where n.nspname = $2 and c.oid <> r.root`;

const TABLES = `
  select c.oid, c.relname as table, c.relrowsecurity as rls,
    exists (select from pg_publication_rel m join pg_publication p on p.oid = m.prpubid
            where m.prrelid = c.oid and p.pubname = '${BROADCAST}') as enabled,
    (select coalesce(json_agg(json_build_object(
        'name', a.attname, 'type', ${COLUMN_FACTS.type}, 'typeOid', a.atttypid::int8,
        'number', a.attnum, 'virtual', a.attgenerated = 'v',
        'collation', ${COLUMN_FACTS.collation}, 'labels', ${COLUMN_FACTS.labels},
        'anon', has_column_privilege($3, c.oid, a.attnum, 'select'),
        'user', has_column_privilege($4, c.oid, a.attnum, 'select')) order by a.attnum), '[]')
      from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as columns,
    (select coalesce(json_agg(a.attname order by a.attnum), '[]')
      from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any (i.indkey)
      where i.indrelid = c.oid and i.indisprimary) as key,
    (select coalesce(json_agg(json_build_object(
        'permissive', p.polpermissive, 'expression', pg_get_expr(p.polqual, p.polrelid),
        'anon', exists (select from unnest(p.polroles) r where r = 0 or pg_has_role($3, r, 'usage')),
        'user', exists (select from unnest(p.polroles) r where r = 0 or pg_has_role($4, r, 'usage')),
        'columns', (select coalesce(json_agg(distinct d.refobjsubid), '[]') from pg_depend d
          where d.classid = 'pg_policy'::regclass and d.objid = p.oid and d.deptype = 'n'
            and d.refclassid = 'pg_class'::regclass and d.refobjid = c.oid)) order by p.polname), '[]')
      from pg_policy p
      where p.polrelid = c.oid and p.polcmd in ('r', '*') and p.polqual is not null) as policies
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where n.nspname = $1 and c.relkind = 'r' and c.relname = any ($2)`;

interface TableRow {
  oid: number;
  table: string;
  rls: boolean;
  enabled: boolean;
  columns: CatalogColumn[];
  key: string[];
  policies: CatalogPolicy[];
}

/** Reads what decides who sees what of these tables. `tx` is a transaction: its search path is emptied. */
export async function loadViews(
  tx: Queryable,
  appId: string,
  tables: readonly string[],
): Promise<Map<string, TableView>> {
  // With nothing on the search path, expressions come with every name written in full.
  await tx.query("select set_config('search_path', '', true)");
  const roles = [tenantRole(appId, "anon"), tenantRole(appId, "user")];
  const rows = await tx.query<TableRow>(TABLES, [appId, tables, ...roles]);
  const reads = await tx.query<{ root: number; name: string; watched: boolean }>(DEPENDENCIES, [
    rows.map((row) => row.oid),
    appId,
  ]);
  const views = new Map(tables.map((table) => [table, noTable(table)]));
  for (const row of rows) {
    const dependsOn = reads.filter((read) => read.root === row.oid);
    views.set(row.table, viewOf({ ...row, dependsOn }));
  }
  return views;
}
