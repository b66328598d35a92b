import { isTypeName } from "./column-type.ts";
import { refuseDanglingNames } from "./dangling-names.ts";
import { type Declared, documentShape } from "./document.ts";
import { schemaErrors } from "./errors.ts";
import { identifierProblem } from "./identifiers.ts";
import { limits } from "./limits.ts";
import type { SchemaModel } from "./model.ts";
import { Problems } from "./problems.ts";
import { readTable } from "./read-table.ts";

/**
 * Reads a document against the schema as it is. Everything that is wrong ends up in `problems`; `declared` is then
 * only good for finding more of it. Pure.
 *
 * A document may be partial: tables and columns it does not mention are left alone, so an agent that knows one table
 * can't remove the others by leaving them out. What is to go is named in a `_drop…` list. A column that is mentioned
 * is described in full: what its description leaves out is off.
 * @throws QUOTA_TABLE_LIMIT when the document or the app would have too many tables
 */
export function readDocument(
  value: unknown,
  actual: SchemaModel,
): { declared: Declared; problems: Problems } {
  const problems = new Problems();
  const raw = problems.read(documentShape, value, []) ?? {};
  const enums = new Map<string, readonly string[]>();
  for (const [name, values] of Object.entries(raw.enums ?? {})) {
    if (readEnum(problems, name, values, actual)) enums.set(name, values);
  }
  if (enums.size > limits.enums) problems.add(["enums"], `at most ${limits.enums} enums are allowed.`);
  const dropEnums = new Set(raw._dropEnums);
  const known = new Set([...actual.enums.keys(), ...enums.keys()].filter((name) => !dropEnums.has(name)));
  const parts = Object.entries(raw.tables ?? {});
  const drop = new Set(raw._drop);
  refuseTooMany(parts, drop, actual);
  const reading = { problems, actual, enums: known };
  const declared: Declared = {
    tables: parts
      .map(([name, part]) => readTable(reading, name, part, ["tables", name]))
      .filter((table) => table !== null),
    enums,
    drop,
    dropEnums,
    dropEnumValues: new Map(
      Object.entries(raw._dropEnumValues ?? {}).map(([name, values]) => [name, new Set(values)]),
    ),
  };
  refuseDanglingNames(problems, declared, actual);
  return { declared, problems };
}

function readEnum(problems: Problems, name: string, values: readonly string[], actual: SchemaModel): boolean {
  const path = ["enums", name];
  const before = problems.list.length;
  problems.addIf(path, identifierProblem(name));
  if (name.startsWith("_")) problems.add(path, "names that begin with _ are reserved.");
  if (isTypeName(name)) problems.add(path, `"${name}" is a type of Postgres; choose another name.`);
  if (actual.tables.has(name))
    problems.add(path, `"${name}" is a table, whose rows are a type of that name.`);
  if (new Set(values).size !== values.length) problems.add(path, "a value stands here twice.");
  for (const value of values) {
    if (Buffer.byteLength(value) > limits.nameBytes)
      problems.add(path, `"${value.slice(0, 80)}" is longer than ${limits.nameBytes} bytes.`);
    if (value.includes("\0")) problems.add(path, "a value can't contain a null character.");
  }
  return problems.list.length === before;
}

function refuseTooMany(
  parts: readonly [string, unknown][],
  drop: ReadonlySet<string>,
  actual: SchemaModel,
): void {
  const renamed = parts.map(([, part]) => (part as { renamedFrom?: unknown } | null)?.renamedFrom);
  const after = new Set(
    [...actual.tables.keys()].filter((name) => !drop.has(name) && !renamed.includes(name)),
  );
  for (const [name] of parts) after.add(name);
  const most = Math.max(parts.length, after.size);
  // An app that is over the limit already may still be changed, as long as it does not grow.
  if (parts.length <= limits.tables && after.size <= Math.max(limits.tables, actual.tables.size)) return;
  throw schemaErrors.QUOTA_TABLE_LIMIT({
    message: `An app may have ${limits.tables} tables, and this would make ${most}.`,
    details: { limit: limits.tables, tables: most },
  });
}
