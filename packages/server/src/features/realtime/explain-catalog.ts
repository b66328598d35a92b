import type { Queryable } from "../../engines/postgres/database.ts";
import { tenantRole } from "../../engines/postgres/tenant.ts";
import type { ViewerRole } from "./table-view.ts";

/** A policy of a table, with what decides whether it has a say when a role reads rows. */
export interface FoundPolicy {
  readonly name: string;
  readonly permissive: boolean;
  readonly command: "ALL" | "SELECT" | "INSERT" | "UPDATE" | "DELETE";
  /** Names of roles; `public` for everybody. */
  readonly roles: readonly string[];
  /** The USING expression with all names in full; null when it has none. */
  readonly expression: string | null;
  /** The role is among the policy's. */
  readonly ofRole: boolean;
}

/** A table, as far as it matters for who sees its rows. */
export interface FoundTable {
  /** Its name with the schema, quoted. */
  readonly qualified: string;
  readonly rls: boolean;
  readonly columns: readonly { readonly name: string; readonly type: string; readonly readable: boolean }[];
  readonly key: readonly string[];
  readonly policies: readonly FoundPolicy[];
}

const TABLE = `
  select format('%I.%I', n.nspname, c.relname) as qualified, c.relrowsecurity as rls,
    (select coalesce(json_agg(json_build_object(
        'name', a.attname, 'type', format_type(a.atttypid, a.atttypmod),
        'readable', has_column_privilege($3, c.oid, a.attnum, 'select')) order by a.attnum), '[]')
      from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as columns,
    (select coalesce(json_agg(a.attname order by u.place), '[]')
      from pg_index i cross join unnest(i.indkey[0:i.indnkeyatts - 1]) with ordinality as u (number, place)
      join pg_attribute a on a.attrelid = c.oid and a.attnum = u.number
      where i.indrelid = c.oid and i.indisprimary) as key,
    (select coalesce(json_agg(json_build_object(
        'name', p.polname, 'permissive', p.polpermissive,
        'command', case p.polcmd when 'r' then 'SELECT' when 'a' then 'INSERT' when 'w' then 'UPDATE'
          when 'd' then 'DELETE' else 'ALL' end,
        'roles', (select json_agg(case when r = 0 then 'public' else pg_get_userbyid(r) end) from unnest(p.polroles) r),
        'expression', pg_get_expr(p.polqual, p.polrelid),
        'ofRole', exists (select from unnest(p.polroles) r where r = 0 or pg_has_role($3, r, 'usage')))
        order by p.polname), '[]')
      from pg_policy p where p.polrelid = c.oid) as policies
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where n.nspname = $1 and c.relname = $2 and c.relkind in ('r', 'p') and c.relname !~ '^_'`;

/** Reads the table as one role stands to it; null when there is none. `tx` is a transaction of the app's owner. */
export async function findTable(
  tx: Queryable,
  appId: string,
  table: string,
  role: ViewerRole | "service",
): Promise<FoundTable | null> {
  const [{ path } = { path: "" }] = await tx.query<{ path: string }>(
    "select current_setting('search_path') as path, set_config('search_path', '', true)",
  );
  // With nothing on the search path, expressions come with every name written in full.
  const [row] = await tx.query<FoundTable>(TABLE, [appId, table, tenantRole(appId, role)]);
  await tx.query("select set_config('search_path', $1, true)", [path]);
  return row ?? null;
}
