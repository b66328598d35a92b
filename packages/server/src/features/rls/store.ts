import type { Database, Queryable } from "../../engines/postgres/database.ts";
import type { Command, StoredPolicy } from "./policy.ts";

export interface SecuredColumn {
  readonly name: string;
  /** As the catalogue has it, e.g. `uuid`, `int4`. */
  readonly type: string;
  /** Its place in the table, which no rename changes. */
  readonly number: number;
}

/** A table as policies see it. */
export interface SecuredTable {
  readonly name: string;
  readonly rlsEnabled: boolean;
  readonly columns: ReadonlyMap<string, SecuredColumn>;
  readonly policies: readonly StoredPolicy[];
}

const TABLE_SQL = `
select json_build_object(
  'name', c.relname,
  'rlsEnabled', c.relrowsecurity,
  'columns', coalesce((select json_agg(json_build_object('name', a.attname, 'type', t.typname, 'number', a.attnum)
      order by a.attnum)
    from pg_attribute a join pg_type t on t.oid = a.atttypid
    where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped), '[]'),
  'policies', coalesce((select json_agg(json_build_object(
      'table', p.tablename, 'name', p.policyname, 'command', p.cmd, 'roles', p.roles,
      'restrictive', p.permissive = 'RESTRICTIVE', 'using', p.qual, 'check', p.with_check) order by p.policyname)
    from pg_policies p where p.schemaname = n.nspname and p.tablename = c.relname), '[]')
) as "table"
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = $1 and c.relname = $2 and c.relkind in ('r', 'p')`;

/** The table inside a transaction of the app's owner; null when there is none. */
export async function selectTable(tx: Queryable, appId: string, table: string): Promise<SecuredTable | null> {
  const [row] = await tx.query<{ table: Omit<SecuredTable, "columns"> & { columns: SecuredColumn[] } }>(
    TABLE_SQL,
    [appId, table],
  );
  if (row === undefined) return null;
  return { ...row.table, columns: new Map(row.table.columns.map((column) => [column.name, column])) };
}

/** A row of `pg_policies`. */
export interface PolicyRow {
  readonly schemaname: string;
  readonly tablename: string;
  readonly policyname: string;
  readonly permissive: "PERMISSIVE" | "RESTRICTIVE";
  readonly roles: string[];
  readonly cmd: Command;
  readonly qual: string | null;
  readonly with_check: string | null;
}

const LIST_SQL = `
select json_build_object(
  'policies', coalesce((select json_agg(p order by p.tablename, p.policyname)
    from pg_policies p where p.schemaname = $1), '[]'),
  'tables', coalesce((select json_agg(json_build_object('name', c.relname, 'rls', c.relrowsecurity) order by c.relname)
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = $1 and c.relkind in ('r', 'p') and c.relname !~ '^_'), '[]'))`;

/** Every policy of the app and which tables have row-level security, in one round trip. */
export async function selectPolicies(
  database: Database,
  appId: string,
): Promise<{ policies: PolicyRow[]; tables: { name: string; rls: boolean }[] }> {
  const { rows } = await database.asCaller(
    appId,
    { role: "service", claims: null },
    { text: LIST_SQL, values: [appId] },
  );
  return JSON.parse(rows[0]?.[0] ?? '{"policies":[],"tables":[]}');
}
