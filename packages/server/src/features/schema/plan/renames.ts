import { quoteIdent } from "../../../engines/postgres/quote.ts";
import { alterTable } from "../ddl.ts";
import type { Declared, DeclaredTable } from "../document.ts";
import { nameOf } from "../identifiers.ts";
import { limits } from "../limits.ts";
import type { SchemaModel, TableModel } from "../model.ts";
import type { StatementList } from "./statement.ts";

/**
 * Plans the renames of a document and returns the schema as it is after them, for the rest of the plan to start
 * from. What was named after the table or column (keys, sequences, policies, triggers) follows, so that a renamed
 * table is the same as one made under the new name. A rename that was done before, or whose source is not there, is
 * none: the same document can be applied everywhere.
 */
export function planRenames(out: StatementList, declared: Declared, actual: SchemaModel): SchemaModel {
  let schema = actual;
  for (const table of declared.tables) {
    schema = renameTable(out, table, schema);
    for (const column of table.columns) {
      if (column.renamedFrom !== null)
        schema = renameColumn(out, table.name, column.renamedFrom, column.name, schema);
    }
  }
  return schema;
}

function renameTable(out: StatementList, declared: DeclaredTable, schema: SchemaModel): SchemaModel {
  const from = declared.renamedFrom;
  const table = from === null ? undefined : schema.tables.get(from);
  if (table === undefined || from === null || schema.tables.has(declared.name)) return schema;
  const to = declared.name;
  out.add("rename", alterTable(from, `rename to ${quoteIdent(to)}`), `Rename table ${from} to ${to}`);
  for (const policy of table.policies) {
    const name = successor(policy, from, to);
    if (name !== null)
      out.add(
        "rename",
        `alter policy ${quoteIdent(policy)} on ${quoteIdent(to)} rename to ${quoteIdent(name)}`,
        `Rename policy ${policy} to ${name}`,
      );
  }
  for (const trigger of table.triggers) {
    const name = successor(trigger, from, to);
    if (name !== null)
      out.add(
        "rename",
        `alter trigger ${quoteIdent(trigger)} on ${quoteIdent(to)} rename to ${quoteIdent(name)}`,
        `Rename trigger ${trigger} to ${name}`,
      );
  }
  const moved = renameParts(out, { ...table, name: to }, table, (column) => column);
  return replaceTable(schema, from, moved);
}

/** `notes_user_isolation` under the table's new name; null when it is not named after the table or gets too long. */
function successor(name: string, from: string, to: string): string | null {
  if (!name.startsWith(`${from}_`)) return null;
  const renamed = `${to}${name.slice(from.length)}`;
  return renamed.length <= limits.nameBytes ? renamed : null;
}

function renameColumn(
  out: StatementList,
  tableName: string,
  from: string,
  to: string,
  schema: SchemaModel,
): SchemaModel {
  const table = schema.tables.get(tableName);
  const names = new Set(table?.columns.map((column) => column.name));
  if (table === undefined || !names.has(from) || names.has(to)) return schema;
  out.add(
    "rename",
    alterTable(tableName, `rename column ${quoteIdent(from)} to ${quoteIdent(to)}`),
    `Rename column ${tableName}.${from} to ${to}`,
  );
  const renamed = (column: string) => (column === from ? to : column);
  const moved = renameParts(
    out,
    {
      ...table,
      columns: table.columns.map((column) => ({ ...column, name: renamed(column.name) })),
      indexes: table.indexes.map((index) => ({
        ...index,
        columns: index.columns.map(renamed),
        keys: index.keys.map((key) => ({ ...key, column: key.column === null ? null : renamed(key.column) })),
      })),
    },
    table,
    renamed,
  );
  return replaceTable(schema, tableName, moved, renamed);
}

/** Renames constraints and sequences whose names come from the table and column; `after` has the new names of both. */
function renameParts(
  out: StatementList,
  after: TableModel,
  before: TableModel,
  renamed: (column: string) => string,
): TableModel {
  const rename = (name: string, was: string, is: string): string => {
    if (name !== was || was === is) return name;
    out.add(
      "rename",
      alterTable(after.name, `rename constraint ${quoteIdent(was)} to ${quoteIdent(is)}`),
      `Rename constraint ${was} to ${is}`,
    );
    return is;
  };
  const follow = <P extends { name: string; columns: readonly string[] }>(
    part: P,
    naming: (table: string, column: string) => string,
  ): P => {
    const [column] = part.columns;
    const single = part.columns.length === 1 && column !== undefined;
    const name = single
      ? rename(part.name, naming(before.name, column), naming(after.name, renamed(column)))
      : part.name;
    return { ...part, name, columns: part.columns.map(renamed) };
  };
  const sequences = new Map<string, string>();
  for (const [column, sequence] of before.sequences) {
    const is = nameOf.sequence(after.name, renamed(column));
    const follows = sequence === nameOf.sequence(before.name, column) && sequence !== is;
    if (follows)
      out.add(
        "rename",
        `alter sequence ${quoteIdent(sequence)} rename to ${quoteIdent(is)}`,
        `Rename sequence ${sequence} to ${is}`,
      );
    sequences.set(renamed(column), follows ? is : sequence);
  }
  const { primaryKey } = before;
  return {
    ...after,
    sequences,
    primaryKey: primaryKey && {
      name: rename(primaryKey.name, nameOf.primaryKey(before.name), nameOf.primaryKey(after.name)),
      columns: primaryKey.columns.map(renamed),
    },
    uniques: before.uniques.map((unique) => follow(unique, nameOf.unique)),
    checks: before.checks.map((check) => follow(check, nameOf.check)),
    foreignKeys: before.foreignKeys.map((key) => follow(key, nameOf.foreignKey)),
  };
}

/** The schema with a table in the place of another, and every foreign key following its name and columns. */
function replaceTable(
  schema: SchemaModel,
  from: string,
  table: TableModel,
  renamed: (column: string) => string = (column) => column,
): SchemaModel {
  const tables = new Map<string, TableModel>();
  for (const [name, other] of schema.tables) {
    const kept = name === from ? table : other;
    const foreignKeys = kept.foreignKeys.map((key) =>
      key.refTable === from ? { ...key, refTable: table.name, refColumns: key.refColumns.map(renamed) } : key,
    );
    tables.set(kept.name, { ...kept, foreignKeys });
  }
  return { ...schema, tables };
}
