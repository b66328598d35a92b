import { SERIAL_OF } from "./column-type.ts";
import { nameOf } from "./identifiers.ts";
import type { ColumnModel, ForeignKeyModel, IndexModel, SchemaModel, TableModel } from "./model.ts";

type Json = Record<string, unknown>;

/**
 * The schema as a document: applying it again changes nothing, and applying it to an empty app makes the same
 * tables. Fields that are off are left out, except `nullable`. Pure.
 */
export function renderDocument(schema: SchemaModel): { tables: Json; enums?: Json } {
  const tables = Object.fromEntries(
    [...schema.tables.values()].map((table) => [table.name, renderTable(table)]),
  );
  if (schema.enums.size === 0) return { tables };
  return { tables, enums: Object.fromEntries(schema.enums) };
}

const entries = <P extends { name: string }>(
  parts: readonly P[],
  render: (part: P) => unknown,
): Json | undefined =>
  parts.length === 0 ? undefined : Object.fromEntries(parts.map((part) => [part.name, render(part)]));

function renderTable(table: TableModel): Json {
  const own = ownConstraints(table);
  const others = <P extends { name: string }>(parts: readonly P[]) =>
    parts.filter((part) => !own.has(part.name));
  const composite = table.primaryKey !== null && table.primaryKey.columns.length > 1;
  return pruned({
    comment: table.comment ?? undefined,
    columns: Object.fromEntries(table.columns.map((column) => [column.name, renderColumn(column, table)])),
    primaryKey: composite ? table.primaryKey?.columns : undefined,
    uniques: entries(others(table.uniques), ({ columns }) => ({ columns })),
    checks: entries(others(table.checks), ({ expression }) => expression),
    foreignKeys: entries(others(table.foreignKeys), renderForeignKey),
    indexes: entries(table.indexes, renderIndex),
  });
}

/** Names of the constraints that are shown at their column. */
function ownConstraints(table: TableModel): ReadonlySet<string> {
  const own = new Set<string>();
  const kinds = [
    [table.uniques, nameOf.unique],
    [table.checks, nameOf.check],
    [table.foreignKeys, nameOf.foreignKey],
  ] as const;
  for (const [constraints, naming] of kinds) {
    for (const { name, columns } of constraints) {
      if (columns.length === 1 && name === naming(table.name, columns[0]!)) own.add(name);
    }
  }
  return own;
}

function renderColumn(column: ColumnModel, table: TableModel): Json {
  const { name } = column;
  const check = table.checks.find(
    (candidate) => candidate.name === nameOf.check(table.name, name) && candidate.columns.length === 1,
  );
  const key = table.foreignKeys.find((candidate) => candidate.name === nameOf.foreignKey(table.name, name));
  const readers = ["anon", "user", "service"].filter(
    (reader) => !(column.hiddenFrom as readonly string[]).includes(reader),
  );
  return pruned({
    type: column.serial ? SERIAL_OF[column.type.text] : column.type.text,
    primaryKey:
      table.primaryKey?.columns.length === 1 && table.primaryKey.columns[0] === name ? true : undefined,
    nullable: !column.notNull,
    default: column.default ?? undefined,
    identity: column.identity ?? undefined,
    generated: column.generated ?? undefined,
    unique: table.uniques.some((unique) => unique.name === nameOf.unique(table.name, name))
      ? true
      : undefined,
    references: key === undefined ? undefined : renderReference(key),
    check: check?.expression,
    readableBy: readers.length < 3 ? readers : undefined,
    comment: column.comment ?? undefined,
  });
}

const renderActions = ({ onDelete, onUpdate }: ForeignKeyModel): Json => ({
  onDelete: onDelete === "NO ACTION" ? undefined : onDelete,
  onUpdate: onUpdate === "NO ACTION" ? undefined : onUpdate,
});

const renderReference = (key: ForeignKeyModel): Json =>
  pruned({ table: key.refTable, column: key.refColumns[0], ...renderActions(key) });

const renderForeignKey = (key: ForeignKeyModel): Json =>
  pruned({ columns: key.columns, table: key.refTable, refColumns: key.refColumns, ...renderActions(key) });

function renderIndex(index: IndexModel): Json {
  const [first] = index.keys;
  const shared = index.keys.every((key) => key.opclass === first?.opclass) ? (first?.opclass ?? null) : null;
  return pruned({
    columns: index.keys.map((key) => {
      const rendered = pruned({
        column: key.column ?? undefined,
        expression: key.expression ?? undefined,
        opclass: key.opclass === shared ? undefined : (key.opclass ?? undefined),
        order: key.order === "desc" ? key.order : undefined,
        nulls: key.nulls === (key.order === "desc" ? "first" : "last") ? undefined : key.nulls,
      });
      return Object.keys(rendered).length === 1 && key.column !== null ? key.column : rendered;
    }),
    unique: index.unique ? true : undefined,
    method: index.method === "btree" ? undefined : index.method,
    opclass: shared ?? undefined,
    where: index.where ?? undefined,
  });
}

const pruned = (value: Json): Json =>
  Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined));
