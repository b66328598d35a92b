import type { Declared, DeclaredTable } from "./document.ts";
import type { SchemaModel, TableModel } from "./model.ts";
import type { Problems } from "./problems.ts";

/** Finds what a document names that will not be there, and what it names twice. Pure. */
export function refuseDanglingNames(problems: Problems, declared: Declared, actual: SchemaModel): void {
  const columns = columnsAfter(declared, actual);
  const indexNames = new Map<string, string>();
  for (const table of declared.tables) {
    const path = ["tables", table.name];
    if (declared.drop.has(table.name))
      problems.add(["_drop"], `"${table.name}" is declared under tables as well.`);
    if (declared.enums.has(table.name)) problems.add(path, `"${table.name}" is declared as an enum as well.`);
    refuseBothWays(problems, table);
    refuseMissingColumns(problems, table, columns);
    for (const { name } of table.indexes) {
      const other = indexNames.get(name);
      if (other !== undefined)
        problems.add(
          [...path, "indexes", name],
          `the table ${other} has an index of that name; names of indexes are shared by all tables.`,
        );
      indexNames.set(name, table.name);
    }
  }
  for (const name of declared.dropEnums) {
    if (declared.enums.has(name)) problems.add(["_dropEnums"], `"${name}" is declared under enums as well.`);
  }
}

/** Table → names of the columns it will have. */
export function columnsAfter(
  declared: Declared,
  actual: SchemaModel,
): ReadonlyMap<string, ReadonlySet<string>> {
  const after = new Map<string, Set<string>>();
  for (const [name, table] of actual.tables) {
    if (!declared.drop.has(name)) after.set(name, new Set(table.columns.map((column) => column.name)));
  }
  const sources = new Set<string>();
  for (const table of declared.tables) {
    const source = existingOf(table, actual);
    if (source !== undefined && source.name !== table.name) sources.add(source.name);
    const names = new Set(source?.columns.map((column) => column.name));
    for (const column of table.columns) {
      if (column.renamedFrom !== null && !names.has(column.name)) names.delete(column.renamedFrom);
      names.add(column.name);
    }
    for (const name of table.drop.columns) names.delete(name);
    after.set(table.name, names);
  }
  const declaredNames = new Set(declared.tables.map((table) => table.name));
  for (const name of sources) if (!declaredNames.has(name)) after.delete(name);
  return after;
}

/** The table of today that a declared one is about, under its new or its old name. */
export function existingOf(table: DeclaredTable, actual: SchemaModel): TableModel | undefined {
  return (
    actual.tables.get(table.name) ??
    (table.renamedFrom === null ? undefined : actual.tables.get(table.renamedFrom))
  );
}

function refuseBothWays(problems: Problems, table: DeclaredTable): void {
  const lists = [
    ["_dropColumns", table.drop.columns, table.columns],
    ["_dropIndexes", table.drop.indexes, table.indexes],
    ["_dropUniques", table.drop.uniques, table.uniques],
    ["_dropChecks", table.drop.checks, table.checks],
    ["_dropForeignKeys", table.drop.foreignKeys, table.foreignKeys],
  ] as const;
  for (const [field, dropped, kept] of lists) {
    const seen = new Set<string>();
    for (const { name } of kept) {
      if (dropped.has(name)) problems.add(["tables", table.name, field], `"${name}" is declared as well.`);
      if (seen.has(name))
        problems.add(["tables", table.name], `"${name}" is declared twice, by a column and by the table.`);
      seen.add(name);
    }
  }
}

function refuseMissingColumns(
  problems: Problems,
  table: DeclaredTable,
  columns: ReadonlyMap<string, ReadonlySet<string>>,
): void {
  const path = ["tables", table.name];
  const own = columns.get(table.name) ?? new Set();
  const need = (at: readonly PropertyKey[], names: readonly string[]) => {
    for (const name of names)
      if (!own.has(name)) problems.add([...path, ...at], `the table has no column "${name.slice(0, 80)}".`);
    if (new Set(names).size < names.length) problems.add([...path, ...at], "a column stands here twice.");
  };
  if (table.primaryKey !== null) need(["primaryKey"], table.primaryKey);
  for (const unique of table.uniques) need(["uniques", unique.name], unique.columns);
  for (const index of table.indexes) {
    for (const { column } of index.keys) if (column !== null) need(["indexes", index.name], [column]);
  }
  const seeded = new Set(table.seed.flatMap((row) => Object.keys(row)));
  for (const name of seeded)
    if (!own.has(name)) problems.add([...path, "_seed"], `the table has no column "${name.slice(0, 80)}".`);
  for (const key of table.foreignKeys) {
    need(["foreignKeys", key.name], key.columns);
    const target = columns.get(key.refTable);
    if (target === undefined) {
      problems.add(
        [...path, ...placeOf(table, key.name)],
        `there is no table "${key.refTable}" to refer to.`,
      );
      continue;
    }
    for (const name of key.refColumns) {
      if (!target.has(name))
        problems.add(
          [...path, ...placeOf(table, key.name)],
          `the table "${key.refTable}" has no column "${name}".`,
        );
    }
  }
}

/** Where a foreign key stands in the document: at its column, or under foreignKeys. */
function placeOf(table: DeclaredTable, name: string): string[] {
  const key = table.foreignKeys.find((candidate) => candidate.name === name);
  const column =
    key?.columns.length === 1
      ? table.columns.find((candidate) => candidate.name === key.columns[0])
      : undefined;
  return column === undefined ? ["foreignKeys", name] : ["columns", column.name, "references"];
}
