import { type ColumnType, readType, TYPE_NAMES } from "./column-type.ts";
import { columnShape, type DeclaredColumn } from "./document.ts";
import { columnNameProblem, identifierProblem, nameOf } from "./identifiers.ts";
import {
  type CheckModel,
  columnOf,
  type ForeignKeyModel,
  READERS,
  type ReferenceAction,
  type SchemaModel,
  type TableModel,
  type UniqueModel,
} from "./model.ts";
import type { Problems } from "./problems.ts";

/** What the parts of a document are read against. */
export interface Reading {
  readonly problems: Problems;
  readonly actual: SchemaModel;
  /** Enums that will exist: the app's and the document's. */
  readonly enums: ReadonlySet<string>;
}

/** A column and the constraints it declares by its own flags. */
export interface ColumnReading {
  readonly column: DeclaredColumn;
  readonly unique: UniqueModel | null;
  readonly check: CheckModel | null;
  readonly foreignKey: ForeignKeyModel | null;
}

const INTEGERS = new Set(["smallint", "integer", "bigint"]);

/** `existing`: the table as it is, under the name it has now; undefined for a new one. */
export function readColumn(
  reading: Reading,
  table: string,
  existing: TableModel | undefined,
  name: string,
  value: unknown,
  path: readonly PropertyKey[],
): ColumnReading | null {
  const { problems } = reading;
  problems.addIf(path, columnNameProblem(name));
  const raw = problems.read(columnShape, value, path);
  if (raw === undefined) return null;
  const written = readType(raw.type, reading.enums, reading.actual.extensionTypes);
  if (written === null) problems.add([...path, "type"], unknownType(raw.type, reading));
  const type: ColumnType = written?.type ?? { text: "text", base: "text", args: [], array: false };
  const serial = written?.serial ?? false;
  const identity = raw.identity ?? null;
  if (raw.renamedFrom !== undefined)
    problems.addIf([...path, "renamedFrom"], identifierProblem(raw.renamedFrom));
  const column: DeclaredColumn = {
    name,
    type,
    serial,
    identity,
    notNull: raw.nullable === false || serial || identity !== null || raw.primaryKey === true,
    default: defaultText(raw.default),
    generated: raw.generated ?? null,
    comment: raw.comment || null,
    hiddenFrom: READERS.filter((reader) => raw.readableBy !== undefined && !raw.readableBy.includes(reader)),
    primaryKey: raw.primaryKey ?? false,
    renamedFrom: raw.renamedFrom ?? null,
    allowTypeChange: raw.allowTypeChange ?? false,
  };
  if (written !== null) refuseContradictions(problems, column, path);
  const now = columnOf(existing, name) ?? columnOf(existing, raw.renamedFrom ?? name);
  if (now !== undefined && now.generated === null && column.generated !== null) {
    problems.add(
      [...path, "generated"],
      "an existing column can't become generated; drop it (_dropColumns), apply, then add it anew.",
    );
  }
  return {
    column,
    unique: raw.unique ? { name: nameOf.unique(table, name), columns: [name] } : null,
    check:
      raw.check === undefined
        ? null
        : { name: nameOf.check(table, name), expression: raw.check, columns: [] },
    foreignKey: raw.references === undefined ? null : columnReference(table, name, raw.references),
  };
}

function refuseContradictions(
  problems: Problems,
  column: DeclaredColumn,
  path: readonly PropertyKey[],
): void {
  const sources = [
    column.serial ? "a serial type" : null,
    column.identity !== null ? "identity" : null,
    column.generated !== null ? "generated" : null,
    column.default !== null ? "default" : null,
  ].filter((source) => source !== null);
  if (sources.length > 1)
    problems.add(path, `${sources.join(" and ")} exclude each other: a column has one source of values.`);
  if (column.identity !== null && !INTEGERS.has(column.type.text)) {
    problems.add([...path, "identity"], "identity needs the type smallint, integer or bigint.");
  }
}

function unknownType(text: string, { enums, actual }: Reading): string {
  if (/^\s*vector\b/i.test(text) && !actual.extensionTypes.has("vector")) {
    return "vector needs the pgvector extension, which this database does not have.";
  }
  const own =
    enums.size > 0
      ? `, or an enum of the app: ${[...enums].join(", ")}`
      : ", or an enum declared under enums";
  return `there is no type "${text.slice(0, 80)}". Types: ${TYPE_NAMES.join(", ")}${own}; each may end in [].`;
}

function defaultText(value: string | number | boolean | null | undefined): string | null {
  if (value === undefined || value === null) return null;
  const text = String(value);
  return /^null$/i.test(text) ? null : text;
}

/** `CASCADE`, `set_null` … in the one form Postgres prints. */
export const referenceAction = (text: string | undefined): ReferenceAction =>
  (text ?? "NO ACTION").toUpperCase().replace("_", " ") as ReferenceAction;

function columnReference(
  table: string,
  column: string,
  references:
    | string
    | { table: string; column: string; onDelete?: string | undefined; onUpdate?: string | undefined },
): ForeignKeyModel {
  const [refTable = "", refColumn = ""] =
    typeof references === "string" ? references.split(".") : [references.table, references.column];
  return {
    name: nameOf.foreignKey(table, column),
    columns: [column],
    refTable,
    refColumns: [refColumn],
    onDelete: referenceAction(typeof references === "string" ? undefined : references.onDelete),
    onUpdate: referenceAction(typeof references === "string" ? undefined : references.onUpdate),
  };
}
