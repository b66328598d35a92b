import type { TableInfo } from "../schema/service.ts";
import { dataErrors } from "./errors.ts";
import { type Tables, tableOf } from "./tables.ts";

type ForeignKeyInfo = TableInfo["foreignKeys"][number];

/** How rows of one table find the rows of another that are embedded in them. */
export interface Relation {
  readonly table: TableInfo;
  /** An array of rows; else one object or null. */
  readonly many: boolean;
  /** Column of the embedding table, column of the embedded one; all equal. */
  readonly on: readonly (readonly [string, string])[];
}

interface Candidate extends Relation {
  readonly key: ForeignKeyInfo;
}

/**
 * Finds the foreign key behind `relation!hint(…)`. `relation` is a table, or a foreign key or its column of the
 * embedding table. Hints narrow down: a foreign key's name, one of its columns, `one` or `many`. Pure.
 * @throws VALIDATION_RELATIONSHIP_NOT_FOUND, VALIDATION_RELATIONSHIP_AMBIGUOUS with the choices.
 */
export function resolveRelation(
  tables: Tables,
  table: TableInfo,
  relation: string,
  hints: readonly string[],
): Relation {
  if (relation.startsWith("_")) tableOf(tables, relation);
  const all = candidatesFor(tables, table, relation);
  const fitting = all.filter((candidate) => hints.every((hint) => fits(candidate, hint)));
  const [first, ...others] = fitting;
  if (first === undefined) throw notFound(tables, table, relation, hints, all);
  if (others.length === 0) return first;
  throw dataErrors.VALIDATION_RELATIONSHIP_AMBIGUOUS({
    message: `${table.name} and ${relation} are related in ${fitting.length} ways.`,
    details: { choices: fitting.map((candidate) => choice(relation, candidate)) },
  });
}

function candidatesFor(tables: Tables, table: TableInfo, relation: string): Candidate[] {
  const other = tables.get(relation);
  if (other === undefined) {
    return table.foreignKeys
      .filter((key) => key.name === relation || (key.columns.length === 1 && key.columns[0] === relation))
      .flatMap((key) => outward(tables, key));
  }
  return [
    ...table.foreignKeys.filter((key) => key.refTable === relation).flatMap((key) => outward(tables, key)),
    ...other.foreignKeys.filter((key) => key.refTable === table.name).map((key) => inward(other, key)),
  ];
}

/** The embedding row holds the reference: at most one row. */
function outward(tables: Tables, key: ForeignKeyInfo): Candidate[] {
  const target = tables.get(key.refTable);
  if (target === undefined || target.name.startsWith("_")) return [];
  return [
    { key, table: target, many: false, on: key.columns.map((column, i) => [column, key.refColumns[i]!]) },
  ];
}

/** The embedded rows hold the reference: many, unless the reference is unique. */
function inward(other: TableInfo, key: ForeignKeyInfo): Candidate {
  const unique = [other.primaryKey, ...other.uniques].some(
    (columns) => columns.length > 0 && columns.every((column) => key.columns.includes(column)),
  );
  return {
    key,
    table: other,
    many: !unique,
    on: key.columns.map((column, i) => [key.refColumns[i]!, column]),
  };
}

function fits({ key, many }: Candidate, hint: string): boolean {
  return (
    key.name === hint || key.columns.includes(hint) || (hint === "many" && many) || (hint === "one" && !many)
  );
}

const choice = (relation: string, { key, many }: Candidate): string =>
  `${relation}!${key.name}!${many ? "many" : "one"}`;

function notFound(
  tables: Tables,
  table: TableInfo,
  relation: string,
  hints: readonly string[],
  all: readonly Candidate[],
) {
  const outgoing = table.foreignKeys.map((key) => key.refTable);
  const incoming = [...tables.values()]
    .filter((other) => other.foreignKeys.some((key) => key.refTable === table.name))
    .map((other) => other.name);
  const related = [...new Set([...outgoing, ...incoming])].filter((name) => !name.startsWith("_"));
  return dataErrors.VALIDATION_RELATIONSHIP_NOT_FOUND({
    message:
      all.length > 0
        ? `No foreign key between ${table.name} and ${relation} fits the hint ${hints.join("!").slice(0, 80)}.`
        : `${table.name} has no foreign key to or from ${relation.slice(0, 80)}.`,
    details: all.length > 0 ? { choices: all.map((one) => choice(relation, one)) } : { related },
  });
}
