import { type DeclaredTable, foreignKeyShape, type TablePart, tableShape, uniqueShape } from "./document.ts";
import { identifierProblem } from "./identifiers.ts";
import { limits } from "./limits.ts";
import type { CheckModel, ForeignKeyModel, IndexModel, UniqueModel } from "./model.ts";
import type { Problems } from "./problems.ts";
import { type ColumnReading, type Reading, readColumn, referenceAction } from "./read-column.ts";
import { readIndex } from "./read-index.ts";

type Path = readonly PropertyKey[];

/** Reads one table of a document; null when its very shape is wrong. */
export function readTable(reading: Reading, name: string, value: unknown, path: Path): DeclaredTable | null {
  const { problems, actual } = reading;
  if (/^(_|pg_)/.test(name))
    problems.add(path, `"${name}": names that begin with _ or pg_ are reserved.`, "reserved");
  else problems.addIf(path, identifierProblem(name));
  const raw = problems.read(tableShape, value, path);
  if (raw === undefined) return null;
  if (raw.renamedFrom !== undefined)
    problems.addIf([...path, "renamedFrom"], identifierProblem(raw.renamedFrom));
  const existing = actual.tables.get(name) ?? actual.tables.get(raw.renamedFrom ?? name);
  const readings: ColumnReading[] = [];
  for (const [column, part] of entries(problems, raw.columns, limits.columnsPerTable, [...path, "columns"])) {
    const read = readColumn(reading, name, existing, column, part, [...path, "columns", column]);
    if (read !== null) readings.push(read);
  }
  if (existing === undefined && Object.keys(raw.columns ?? {}).length === 0) {
    problems.add(path, `there is no table "${name}" yet, and a new one needs columns.`);
  }
  const listed = raw.primaryKey ?? null;
  const columns = readings.map(({ column }) =>
    listed?.includes(column.name) ? { ...column, notNull: true } : column,
  );
  for (const { column } of readings) {
    if (column.primaryKey && listed !== null && !listed.includes(column.name)) {
      problems.add(
        [...path, "primaryKey"],
        `the column ${column.name} says primaryKey, but the table's list leaves it out.`,
      );
    }
  }
  const declared: DeclaredTable = {
    name,
    renamedFrom: raw.renamedFrom ?? null,
    comment: raw.comment === undefined ? undefined : raw.comment || null,
    columns,
    primaryKey: listed,
    uniques: [...present(readings, "unique"), ...readUniques(problems, raw, path)],
    checks: [...present(readings, "check"), ...readChecks(problems, raw, path)],
    foreignKeys: [...present(readings, "foreignKey"), ...readForeignKeys(problems, raw, path)],
    indexes: readIndexes(problems, raw, path),
    drop: {
      columns: new Set(raw._dropColumns),
      indexes: new Set(raw._dropIndexes),
      uniques: new Set(raw._dropUniques),
      checks: new Set(raw._dropChecks),
      foreignKeys: new Set(raw._dropForeignKeys),
      primaryKey: raw._dropPrimaryKey ?? false,
    },
    seed: raw._seed ?? [],
  };
  if (Buffer.byteLength(JSON.stringify(declared.seed)) > limits.seedBytes) {
    problems.add(
      [...path, "_seed"],
      `the rows are larger than ${limits.seedBytes} bytes; insert them through the data API.`,
    );
  }
  return declared;
}

const present = <K extends "unique" | "check" | "foreignKey">(readings: readonly ColumnReading[], kind: K) =>
  readings.map((reading) => reading[kind]).filter((made) => made !== null) as NonNullable<ColumnReading[K]>[];

function entries(problems: Problems, part: Record<string, unknown> | undefined, most: number, path: Path) {
  const list = Object.entries(part ?? {});
  if (list.length > most) problems.add(path, `at most ${most} are allowed here, not ${list.length}.`);
  return list.slice(0, most);
}

function readUniques(problems: Problems, raw: TablePart, path: Path): UniqueModel[] {
  return entries(problems, raw.uniques, limits.constraintsPerTable, [...path, "uniques"]).flatMap(
    ([name, value]) => {
      const at = [...path, "uniques", name];
      problems.addIf(at, identifierProblem(name));
      const read = problems.read(uniqueShape, value, at);
      return read === undefined ? [] : [{ name, columns: read.columns }];
    },
  );
}

function readChecks(problems: Problems, raw: TablePart, path: Path): CheckModel[] {
  return entries(problems, raw.checks, limits.constraintsPerTable, [...path, "checks"]).map(
    ([name, expression]) => {
      problems.addIf([...path, "checks", name], identifierProblem(name));
      return { name, expression: expression as string, columns: [] };
    },
  );
}

function readForeignKeys(problems: Problems, raw: TablePart, path: Path): ForeignKeyModel[] {
  return entries(problems, raw.foreignKeys, limits.constraintsPerTable, [...path, "foreignKeys"]).flatMap(
    ([name, value]) => {
      const at = [...path, "foreignKeys", name];
      problems.addIf(at, identifierProblem(name));
      const read = problems.read(foreignKeyShape, value, at);
      if (read === undefined) return [];
      if (read.columns.length !== read.refColumns.length)
        problems.add(at, "columns and refColumns have to be as many.");
      const { columns, table, refColumns, onDelete, onUpdate } = read;
      return [
        {
          name,
          columns,
          refTable: table,
          refColumns,
          onDelete: referenceAction(onDelete),
          onUpdate: referenceAction(onUpdate),
        },
      ];
    },
  );
}

function readIndexes(problems: Problems, raw: TablePart, path: Path): IndexModel[] {
  return entries(problems, raw.indexes, limits.indexesPerTable, [...path, "indexes"])
    .map(([name, value]) => readIndex(problems, name, value, [...path, "indexes", name]))
    .filter((index) => index !== null);
}
