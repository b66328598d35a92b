import { quoteIdent } from "../../../engines/postgres/quote.ts";
import { alterTable, checkSql, dropConstraint, indexSql } from "../ddl.ts";
import type { Declared } from "../document.ts";
import type { ColumnModel, SchemaModel, TableModel } from "../model.ts";
import { valueList } from "./enums.ts";
import type { StatementList } from "./statement.ts";

/**
 * Makes an enum anew and moves its columns over, for what Postgres can't do to an enum: take values away, change
 * their order, or use a new one at once. Rows that hold a value that goes make it fail. Runs after everything that
 * the document drops is gone, and before anything new is made.
 */
export function replaceEnum(
  out: StatementList,
  declared: Declared,
  actual: SchemaModel,
  name: string,
  removed: readonly string[],
): void {
  const old = `_ambit_old_${name}`.slice(0, 63);
  const asked = removed.every((value) => declared.dropEnumValues.get(name)?.has(value));
  const description =
    removed.length > 0 ? `Remove ${removed.join(", ")} from enum ${name}` : `Make enum ${name} anew`;
  out.add("addType", `alter type ${quoteIdent(name)} rename to ${quoteIdent(old)}`, `Set enum ${name} aside`);
  out.add(
    "addType",
    `create type ${quoteIdent(name)} as enum (${valueList(declared.enums.get(name)!)})`,
    description,
    removed.length > 0 ? { asked } : null,
  );
  for (const table of actual.tables.values()) {
    const columns = table.columns.filter(({ type }) => type.base === name);
    if (columns.length > 0 && !declared.drop.has(table.name)) moveTable(out, declared, table, columns, name);
  }
  // Last of all: columns that change to another type leave the old enum only in their own turn.
  out.add("dropType", `drop type ${quoteIdent(old)}`, `Drop the old enum ${name}`);
}

function moveTable(
  out: StatementList,
  declared: Declared,
  table: TableModel,
  columns: readonly ColumnModel[],
  name: string,
): void {
  const putBack = setAside(out, table, name);
  const wanted = declared.tables.find((candidate) => candidate.name === table.name);
  for (const column of columns) {
    const next = wanted?.columns.find((candidate) => candidate.name === column.name) ?? column;
    if (wanted?.drop.columns.has(column.name) || next.type.base !== name) continue;
    moveColumn(out, table.name, column, next.default);
  }
  putBack();
}

/** `next`: the default the column is to have; the one it has may be a value that goes. */
function moveColumn(out: StatementList, table: string, column: ColumnModel, next: string | null): void {
  const alter = (sql: string, what: string) =>
    out.add(
      "addType",
      alterTable(table, `alter column ${quoteIdent(column.name)} ${sql}`),
      `${what} ${table}.${column.name}`,
    );
  const brackets = column.type.array ? "[]" : "";
  const type = `${quoteIdent(column.type.base)}${brackets}`;
  if (column.default !== null) alter("drop default", "Set aside the default of");
  alter(`type ${type} using ${quoteIdent(column.name)}::text${brackets}::${type}`, "Move to the new enum:");
  if (column.default !== null && next !== null) alter(`set default (${next})`, "Put back the default of");
}

/** Takes away the checks and indexes that compare with values of the old enum; returns what puts them back. */
function setAside(out: StatementList, table: TableModel, name: string): () => void {
  const mentions = (text: string | null) =>
    text !== null && new RegExp(`::"?${name}"?(?![a-z0-9_])`).test(text);
  const checks = table.checks.filter(
    (check) => mentions(check.expression) && !out.has(dropConstraint(table.name, check.name)),
  );
  const indexes = table.indexes.filter(
    (index) =>
      (mentions(index.where) || index.keys.some((key) => mentions(key.expression))) &&
      !out.has(`drop index ${quoteIdent(index.name)}`),
  );
  for (const check of checks)
    out.add(
      "addType",
      dropConstraint(table.name, check.name),
      `Set aside check ${check.name} of ${table.name}`,
    );
  for (const index of indexes)
    out.add(
      "addType",
      `drop index ${quoteIdent(index.name)}`,
      `Set aside index ${index.name} of ${table.name}`,
    );
  return () => {
    for (const check of checks)
      out.add(
        "addType",
        alterTable(table.name, `add ${checkSql(check)}`),
        `Put back check ${check.name} of ${table.name}`,
      );
    for (const index of indexes)
      out.add("addType", indexSql(table.name, index), `Put back index ${index.name} of ${table.name}`);
  };
}
