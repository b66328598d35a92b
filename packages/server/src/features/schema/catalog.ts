import type { Database, Queryable } from "../../engines/postgres/database.ts";
import { tenantRole } from "../../engines/postgres/tenant.ts";
import { CATALOG_SQL } from "./catalog-sql.ts";
import { readType } from "./column-type.ts";
import { plainDefault, withoutOuterParens } from "./expression-text.ts";
import type {
  ColumnModel,
  ForeignKeyModel,
  Identity,
  IndexKey,
  Reader,
  ReferenceAction,
  SchemaModel,
  TableModel,
} from "./model.ts";

/** The catalogue's JSON, as CATALOG_SQL builds it. */
interface Catalog {
  tables: CatalogTable[];
  enums: { name: string; values: string[] }[];
  extensionTypes: string[];
}
interface CatalogTable {
  name: string;
  comment: string | null;
  rlsEnabled: boolean;
  wholeReaders: Reader[];
  policies: string[];
  triggers: string[];
  columns: CatalogColumn[] | null;
  constraints: CatalogConstraint[] | null;
  indexes: CatalogIndex[] | null;
}
interface CatalogColumn {
  name: string;
  type: string;
  notNull: boolean;
  identity: "" | "a" | "d";
  generated: boolean;
  default: string | null;
  sequence: string | null;
  comment: string | null;
  hiddenFrom: Reader[];
}
interface CatalogConstraint {
  name: string;
  kind: "p" | "u" | "c" | "f";
  columns: string[];
  expression: string | null;
  refTable: string | null;
  refColumns: string[];
  onDelete: string;
  onUpdate: string;
}
interface CatalogIndex {
  name: string;
  unique: boolean;
  method: string;
  where: string | null;
  columns: string[];
  keys: { column: string | null; expression: string | null; opclass: string | null; option: number }[];
}

const parameters = (appId: string, table: string | null): (string | null)[] => [
  appId,
  tenantRole(appId, "anon"),
  tenantRole(appId, "user"),
  table,
];

/** The app's schema inside a transaction of its owner. `table`: only this one, also when its name is reserved. */
export async function readSchema(
  tx: Queryable,
  appId: string,
  table: string | null = null,
): Promise<SchemaModel> {
  const [row] = await tx.query<{ catalog: Catalog }>(CATALOG_SQL, parameters(appId, table));
  return toModel(appId, row?.catalog);
}

/** The app's schema in one round trip, outside any transaction. */
export async function readSchemaOnce(database: Database, appId: string): Promise<SchemaModel> {
  const { rows } = await database.asCaller(
    appId,
    { role: "service", claims: null },
    { text: CATALOG_SQL, values: parameters(appId, null) },
  );
  const text = rows[0]?.[0];
  return toModel(appId, text ? JSON.parse(text) : undefined);
}

function toModel(
  appId: string,
  catalog: Catalog = { tables: [], enums: [], extensionTypes: [] },
): SchemaModel {
  const enums = new Map(catalog.enums.map(({ name, values }) => [name, values]));
  const types = { enums: new Set(enums.keys()), extensions: new Set(catalog.extensionTypes) };
  const tables = new Map(catalog.tables.map((table) => [table.name, toTable(table, types)]));
  return { appId, tables, enums, extensionTypes: types.extensions };
}

interface Types {
  enums: ReadonlySet<string>;
  extensions: ReadonlySet<string>;
}

function toTable(table: CatalogTable, types: Types): TableModel {
  const columns = table.columns ?? [];
  const constraints = table.constraints ?? [];
  const ofKind = (kind: CatalogConstraint["kind"]) =>
    constraints.filter((constraint) => constraint.kind === kind);
  const [primaryKey] = ofKind("p");
  return {
    name: table.name,
    comment: table.comment,
    columns: columns.map((column) => toColumn(column, types)),
    primaryKey: primaryKey === undefined ? null : { name: primaryKey.name, columns: primaryKey.columns },
    uniques: ofKind("u").map(({ name, columns }) => ({ name, columns })),
    checks: ofKind("c").map(({ name, columns, expression }) => ({
      name,
      columns,
      expression: withoutOuterParens(expression!),
    })),
    foreignKeys: ofKind("f").map(toForeignKey),
    indexes: (table.indexes ?? []).map(({ name, unique, method, where, columns, keys }) => ({
      name,
      unique,
      method,
      columns,
      where: where === null ? null : withoutOuterParens(where),
      keys: keys.map(toIndexKey),
    })),
    wholeReaders: table.wholeReaders,
    rlsEnabled: table.rlsEnabled,
    policies: table.policies,
    triggers: table.triggers,
    sequences: new Map(
      columns
        .filter(({ sequence }) => sequence !== null)
        .map(({ name, sequence }) => [name, sequence!] as const),
    ),
  };
}

const IDENTITIES: Readonly<Record<string, Identity>> = { a: "always", d: "by_default" };

function toColumn(column: CatalogColumn, { enums, extensions }: Types): ColumnModel {
  // A type that no document can name was made by hand; it is shown as it is and left alone.
  const type = readType(column.type, enums, extensions)?.type ?? {
    text: column.type,
    base: column.type,
    args: [],
    array: false,
  };
  const serial = column.sequence !== null;
  return {
    name: column.name,
    type,
    serial,
    identity: IDENTITIES[column.identity] ?? null,
    notNull: column.notNull,
    default: serial || column.generated ? null : plainDefault(column.default, type),
    generated: column.generated && column.default !== null ? withoutOuterParens(column.default) : null,
    comment: column.comment,
    hiddenFrom: column.hiddenFrom,
  };
}

const ACTIONS: Readonly<Record<string, ReferenceAction>> = {
  a: "NO ACTION",
  r: "RESTRICT",
  c: "CASCADE",
  n: "SET NULL",
  d: "SET DEFAULT",
};

const toForeignKey = (constraint: CatalogConstraint): ForeignKeyModel => ({
  name: constraint.name,
  columns: constraint.columns,
  refTable: constraint.refTable!,
  refColumns: constraint.refColumns,
  onDelete: ACTIONS[constraint.onDelete] ?? "NO ACTION",
  onUpdate: ACTIONS[constraint.onUpdate] ?? "NO ACTION",
});

const DESCENDING = 1;
const NULLS_FIRST = 2;

const toIndexKey = (key: CatalogIndex["keys"][number]): IndexKey => ({
  column: key.column,
  expression: key.expression === null ? null : withoutOuterParens(key.expression),
  opclass: key.opclass,
  order: key.option & DESCENDING ? "desc" : "asc",
  nulls: key.option & NULLS_FIRST ? "first" : "last",
});
