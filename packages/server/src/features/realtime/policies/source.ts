import type { Queryable } from "../../../engines/postgres/database.ts";
import { quoteIdent } from "../../../engines/postgres/quote.ts";
import { HELPER_SCHEMA, tenantRole } from "../../../engines/postgres/tenant.ts";
import type { CatalogPolicy } from "../table-view.ts";
import type { SetSource } from "./types.ts";

/** A column as compiled policies need to know it. */
export interface SourceColumn {
  readonly name: string;
  /** The type's name in pg_type, with the schema in front (`app.mood`) if it is not a built-in. */
  readonly type: string;
  /** pg_type.typtype: `b` base, `c` composite, `d` domain, `e` enum, `r` range, `m` multirange. */
  readonly typeKind: string;
  /** What an enum may hold; null for any other type. */
  readonly labels: readonly string[] | null;
  /** Longest text of a varchar(n); null for any length. */
  readonly length: number | null;
  /** Equal texts are equal bytes. */
  readonly deterministic: boolean;
  /** The log does not carry it. */
  readonly virtual: boolean;
  /** Who has the privilege to select it. */
  readonly anon: boolean;
  readonly user: boolean;
}

/** An ordinary table of an app, with its policies for SELECT. */
export interface SourceTable {
  readonly table: string;
  readonly rls: boolean;
  /** A query of it reads other tables too, which inherit from it. */
  readonly inherited: boolean;
  /** Its policies hold for its owner as well, who then can't read all of it. */
  readonly forced: boolean;
  readonly columns: readonly SourceColumn[];
  readonly policies: readonly Omit<CatalogPolicy, "columns">[];
}

const SOURCES = `
  select c.relname as table, c.relrowsecurity as rls,
    exists (select from pg_inherits i where i.inhparent = c.oid) as inherited,
    c.relrowsecurity and c.relforcerowsecurity as forced,
    (select coalesce(json_agg(json_build_object(
        'name', a.attname,
        'type', case when t.typnamespace = 'pg_catalog'::regnamespace then t.typname
                     else s.nspname || '.' || t.typname end,
        'typeKind', t.typtype,
        'labels', (select json_agg(e.enumlabel order by e.enumsortorder) from pg_enum e where e.enumtypid = t.oid),
        'length', case when t.oid = 'varchar'::regtype and a.atttypmod > 4 then a.atttypmod - 4 end,
        'deterministic', coalesce(l.collisdeterministic, true),
        'virtual', a.attgenerated = 'v',
        'anon', has_column_privilege($3, c.oid, a.attnum, 'select'),
        'user', has_column_privilege($4, c.oid, a.attnum, 'select')) order by a.attnum), '[]')
      from pg_attribute a
      join pg_type t on t.oid = a.atttypid
      join pg_namespace s on s.oid = t.typnamespace
      left join pg_collation l on l.oid = a.attcollation
      where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as columns,
    (select coalesce(json_agg(json_build_object(
        'permissive', p.polpermissive, 'expression', pg_get_expr(p.polqual, p.polrelid),
        'anon', exists (select from unnest(p.polroles) r where r = 0 or pg_has_role($3, r, 'usage')),
        'user', exists (select from unnest(p.polroles) r where r = 0 or pg_has_role($4, r, 'usage')))
        order by p.polname), '[]')
      from pg_policy p
      where p.polrelid = c.oid and p.polcmd in ('r', '*') and p.polqual is not null) as policies
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where n.nspname = $1 and c.relkind = 'r' and c.relpersistence = 'p' and c.relname = any ($2)`;

/**
 * Reads what `compileRule` needs of these tables; a name that is no ordinary table of the app is left out. `tx` is a
 * transaction: its search path is emptied.
 */
export async function loadSources(
  tx: Queryable,
  appId: string,
  tables: readonly string[],
): Promise<Map<string, SourceTable>> {
  await tx.query("select set_config('search_path', '', true)");
  const roles = [tenantRole(appId, "anon"), tenantRole(appId, "user")];
  const rows = await tx.query<SourceTable & object>(SOURCES, [appId, tables, ...roles]);
  return new Map(rows.map((row) => [row.table, row]));
}

/** The function that gives the end user's id, as we install it: its whole row has to say so. */
const CURRENT_USER_ID = `
  select from pg_proc p join pg_language l on l.oid = p.prolang
  where p.pronamespace = to_regnamespace($1) and p.proname = 'current_user_id'
    and p.prokind = 'f' and p.pronargs = 0 and p.prorettype = 'text'::regtype and not p.proretset
    and l.lanname = 'sql' and p.provolatile = 's' and not p.prosecdef and not p.proisstrict and p.proconfig is null
    and p.prosqlbody is null
    and btrim(p.prosrc, E' \\n') = $2`;

const CURRENT_USER_ID_BODY = "select nullif(current_setting('request.jwt.claim.sub', true), '')";

/** The claim functions, in full names, that are in this database exactly what we shipped. */
export async function loadClaimFunctions(db: Queryable): Promise<ReadonlySet<string>> {
  const rows = await db.query(CURRENT_USER_ID, [HELPER_SCHEMA, CURRENT_USER_ID_BODY]);
  return new Set(rows.length === 1 ? [`${HELPER_SCHEMA}.current_user_id`] : []);
}

/**
 * SQL without parameters for all rows of a source: its columns in its order, as texts the way the log writes them.
 * To be run by who sees all rows of the table, such as the app's owner.
 */
export function selectMembers(appId: string, source: SetSource): string {
  // `format` prints with the type's own output function; a cast would write booleans in another form.
  const cells = source.columns.map((column) => {
    const name = quoteIdent(column);
    return `case when ${name} is null then null else format('%s', ${name}) end`;
  });
  const list = cells.length === 0 ? "" : `${cells.join(", ")} `;
  return `select array[${list.trim()}]::text[] as cells from only ${quoteIdent(appId)}.${quoteIdent(source.table)}`;
}
