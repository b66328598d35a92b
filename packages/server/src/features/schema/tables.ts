import type { Queryable } from "../../engines/postgres/database.ts";
import { tenantRole } from "../../engines/postgres/tenant.ts";
import { readType } from "./column-type.ts";
import type { Reader } from "./model.ts";

/** A column as readers and writers of rows need it. */
export interface ColumnInfo {
  readonly name: string;
  /** Canonical, e.g. `integer`, `varchar(20)`, `text[]`, or the name of an enum. */
  readonly type: string;
  readonly typeOid: number;
  readonly nullable: boolean;
  readonly hasDefault: boolean;
  /** Callers may not give it a value: a generated column, or an identity that is always generated. */
  readonly generated: boolean;
  readonly isArray: boolean;
  /** Values of an enum, or of an array of enums. */
  readonly enumValues?: readonly string[];
  /** Callers who may not read it; service reads everything. */
  readonly hiddenFrom: readonly Reader[];
}

/** A table as readers and writers of rows need it. */
export interface TableInfo {
  readonly name: string;
  readonly oid: number;
  readonly columns: readonly ColumnInfo[];
  readonly primaryKey: readonly string[];
  readonly foreignKeys: readonly {
    readonly name: string;
    readonly columns: readonly string[];
    readonly refTable: string;
    readonly refColumns: readonly string[];
  }[];
  /** Sets of columns that are unique together, the primary key apart: constraints and whole unique indexes. */
  readonly uniques: readonly (readonly string[])[];
  readonly rlsEnabled: boolean;
  readonly replicaIdentity: "default" | "nothing" | "full" | "index";
}

/**
 * Read on the control connection, so it must not depend on the search_path, and it takes no lock on any table: a
 * schema change under way does not keep readers waiting.
 */
const TABLES_SQL = `
select coalesce(json_agg(json_build_object(
  'name', c.relname,
  'oid', c.oid::int8,
  'rlsEnabled', c.relrowsecurity,
  'replicaIdentity', c.relreplident,
  'columns', (select json_agg(json_build_object(
      'name', a.attname,
      'type', case when coalesce(et.typtype, t.typtype) = 'e'
        then coalesce(et.typname, t.typname) || case when et.oid is null then '' else '[]' end
        else regexp_replace(format_type(a.atttypid, a.atttypmod), '^extensions\\.', '') end,
      'typeOid', a.atttypid::int8,
      'nullable', not a.attnotnull,
      'hasDefault', a.atthasdef or a.attidentity <> '',
      'generated', a.attgenerated <> '' or a.attidentity = 'a',
      'isArray', et.oid is not null,
      'enumValues', case when coalesce(et.typtype, t.typtype) = 'e' then
        array(select e.enumlabel from pg_enum e where e.enumtypid = coalesce(et.oid, t.oid) order by e.enumsortorder) end,
      'hiddenFrom', array_remove(array[
        case when not has_column_privilege($2::name, c.oid, a.attnum, 'select') then 'anon' end,
        case when not has_column_privilege($3::name, c.oid, a.attnum, 'select') then 'user' end], null)
    ) order by a.attnum)
    from pg_attribute a join pg_type t on t.oid = a.atttypid
    left join pg_type et on et.oid = t.typelem and t.typcategory = 'A'
    where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped),
  'keys', (select json_agg(json_build_object(
      'primary', i.indisprimary,
      'columns', array(select a.attname from unnest(i.indkey[0:i.indnkeyatts - 1]) with ordinality u (n, o)
        join pg_attribute a on a.attrelid = c.oid and a.attnum = u.n order by u.o)
    ) order by i.indexrelid)
    from pg_index i
    where i.indrelid = c.oid and i.indisunique and i.indisvalid and i.indpred is null and i.indexprs is null),
  'foreignKeys', (select json_agg(json_build_object(
      'name', k.conname,
      'columns', array(select a.attname from unnest(k.conkey) with ordinality u (n, o)
        join pg_attribute a on a.attrelid = k.conrelid and a.attnum = u.n order by u.o),
      'refTable', r.relname,
      'refColumns', array(select a.attname from unnest(k.confkey) with ordinality u (n, o)
        join pg_attribute a on a.attrelid = k.confrelid and a.attnum = u.n order by u.o)
    ) order by k.conname)
    from pg_constraint k join pg_class r on r.oid = k.confrelid where k.conrelid = c.oid and k.contype = 'f')
) order by c.relname), '[]') as tables
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = $1 and c.relkind in ('r', 'p') and c.relname !~ '^_'`;

type CatalogColumn = Omit<ColumnInfo, "enumValues"> & { enumValues: string[] | null };
interface CatalogTable {
  name: string;
  oid: number;
  rlsEnabled: boolean;
  replicaIdentity: "d" | "n" | "f" | "i";
  columns: CatalogColumn[] | null;
  keys: { primary: boolean; columns: string[] }[] | null;
  foreignKeys: TableInfo["foreignKeys"] | null;
}

const REPLICA_IDENTITIES = { d: "default", n: "nothing", f: "full", i: "index" } as const;
const NO_ENUMS: ReadonlySet<string> = new Set();
const EXTENSIONS: ReadonlySet<string> = new Set(["citext", "vector"]);

/** An app's tables by name, in one round trip. Reserved ones (`_…`) are not among them. */
export async function readTables(db: Queryable, appId: string): Promise<ReadonlyMap<string, TableInfo>> {
  const [row] = await db.query<{ tables: CatalogTable[] }>(TABLES_SQL, [
    appId,
    tenantRole(appId, "anon"),
    tenantRole(appId, "user"),
  ]);
  return new Map((row?.tables ?? []).map((table) => [table.name, toInfo(table)]));
}

function toInfo(table: CatalogTable): TableInfo {
  const keys = table.keys ?? [];
  return {
    name: table.name,
    oid: table.oid,
    columns: (table.columns ?? []).map(({ enumValues, ...column }) => ({
      ...column,
      type: readType(column.type, NO_ENUMS, EXTENSIONS)?.type.text ?? column.type,
      ...(enumValues === null ? {} : { enumValues }),
    })),
    primaryKey: keys.find(({ primary }) => primary)?.columns ?? [],
    foreignKeys: table.foreignKeys ?? [],
    uniques: keys.filter(({ primary }) => !primary).map(({ columns }) => columns),
    rlsEnabled: table.rlsEnabled,
    replicaIdentity: REPLICA_IDENTITIES[table.replicaIdentity],
  };
}
