import { quoteIdent, quoteLiteral } from "../../../engines/postgres/quote.ts";
import type { Canonical } from "../canonical.ts";
import {
  alterTable,
  checkSql,
  columnSql,
  columnTarget,
  commentSql,
  foreignKeySql,
  indexSql,
  primaryKeySql,
  uniqueSql,
} from "../ddl.ts";
import type { DeclaredTable } from "../document.ts";
import { nameOf } from "../identifiers.ts";
import type { SchemaModel, TableModel } from "../model.ts";
import { sameIndex } from "../same.ts";
import { wantedPrimaryKey } from "./constraints.ts";
import type { StatementList } from "./statement.ts";

/** Plans a table that does not exist yet, rows of its seed included. */
export function planNewTable(out: StatementList, table: DeclaredTable): void {
  const key = wantedPrimaryKey(table, undefined);
  const parts = [
    ...table.columns.map(columnSql),
    ...(key === null ? [] : [primaryKeySql(nameOf.primaryKey(table.name), key)]),
    ...table.uniques.map(uniqueSql),
    ...table.checks.map(checkSql),
  ];
  out.add(
    "createTable",
    `create table ${quoteIdent(table.name)} (\n  ${parts.join(",\n  ")}\n)`,
    `Create table ${table.name}`,
  );
  for (const index of table.indexes) planNewIndex(out, table.name, index);
  for (const foreignKey of table.foreignKeys) {
    out.add(
      "link",
      alterTable(table.name, `add ${foreignKeySql(foreignKey)}`),
      `Add foreign key ${foreignKey.name} to ${table.name}`,
    );
  }
  for (const column of table.columns) {
    if (column.comment !== null)
      out.add(
        "comment",
        commentSql(columnTarget(table.name, column.name), column.comment),
        `Set the comment of ${table.name}.${column.name}`,
      );
  }
  planSeed(out, table);
}

const planNewIndex = (out: StatementList, table: string, index: DeclaredTable["indexes"][number]): void =>
  out.add("index", indexSql(table, index), `Create index ${index.name} on ${table}`);

/** Rows that have the same columns are inserted together, so that the defaults of those left out apply. */
function planSeed(out: StatementList, table: DeclaredTable): void {
  const groups = new Map<string, Readonly<Record<string, unknown>>[]>();
  for (const row of table.seed) {
    const columns = table.columns.map(({ name }) => name).filter((name) => Object.hasOwn(row, name));
    const key = JSON.stringify(columns);
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  for (const [key, rows] of groups) {
    const columns = (JSON.parse(key) as string[]).map(quoteIdent).join(", ");
    const target = quoteIdent(table.name);
    const sql =
      columns === ""
        ? rows.map(() => `insert into ${target} default values`).join("; ")
        : `insert into ${target} (${columns}) select ${columns} from jsonb_populate_recordset(null::${target}, ${quoteLiteral(JSON.stringify(rows))})`;
    out.add("seed", sql, `Insert ${rows.length} row${rows.length === 1 ? "" : "s"} into ${table.name}`);
  }
}

/** Plans the indexes and the comment of a table that exists. Indexes that are not declared stay. */
export function planIndexes(
  out: StatementList,
  declared: DeclaredTable,
  actual: TableModel,
  canonical: Canonical,
): void {
  const wanted = new Map(declared.indexes.map((index) => [index.name, index]));
  const forms = new Map(canonical.get(declared.name)?.indexes.map((index) => [index.name, index]));
  const satisfied = new Set<string>();
  for (const now of actual.indexes) {
    const next = wanted.get(now.name);
    const form = forms.get(now.name);
    if (next !== undefined && (sameIndex(now, next) || (form !== undefined && sameIndex(now, form))))
      satisfied.add(now.name);
    else if (
      next !== undefined ||
      declared.drop.indexes.has(now.name) ||
      now.columns.some((column) => declared.drop.columns.has(column))
    ) {
      out.add("unlink", `drop index ${quoteIdent(now.name)}`, `Drop index ${now.name} of ${declared.name}`);
    }
  }
  for (const index of declared.indexes)
    if (!satisfied.has(index.name)) planNewIndex(out, declared.name, index);
}

export function planTableComment(
  out: StatementList,
  declared: DeclaredTable,
  actual: TableModel | undefined,
): void {
  if (declared.comment === undefined || declared.comment === (actual?.comment ?? null)) return;
  out.add(
    "comment",
    commentSql(`table ${quoteIdent(declared.name)}`, declared.comment),
    `Set the comment of ${declared.name}`,
  );
}

/** Plans the tables named in `_drop`. Tables that refer to each other can only go together. */
export function planDrops(out: StatementList, drop: ReadonlySet<string>, actual: SchemaModel): void {
  const gone = [...drop].map((name) => actual.tables.get(name)).filter((table) => table !== undefined);
  const linked = gone.some((table) =>
    table.foreignKeys.some((key) => key.refTable !== table.name && drop.has(key.refTable)),
  );
  const groups = linked ? [gone] : gone.map((table) => [table]);
  for (const group of groups) {
    const names = group.map(({ name }) => name);
    const plural = names.length === 1 ? "" : "s";
    out.add(
      "dropTable",
      `drop table ${names.map(quoteIdent).join(", ")}`,
      `Drop table${plural} ${names.join(", ")} with all rows`,
      { asked: true },
    );
  }
}
