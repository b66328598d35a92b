import { quoteIdent, quoteLiteral } from "../../../engines/postgres/quote.ts";
import { alterTable } from "../ddl.ts";
import type { Declared } from "../document.ts";
import type { ColumnModel, SchemaModel } from "../model.ts";
import type { StatementList } from "./statement.ts";

const valueList = (values: readonly string[]): string =>
  values.map((value) => quoteLiteral(value).trim()).join(", ");

/** Plans the enums of a document. To be called last: how a value is added depends on who uses it. */
export function planEnums(out: StatementList, declared: Declared, actual: SchemaModel): void {
  const used = out
    .inOrder()
    .map(({ sql }) => sql)
    .join("\n");
  for (const [name, values] of declared.enums) {
    const present = actual.enums.get(name);
    if (present === undefined) {
      out.add(
        "addType",
        `create type ${quoteIdent(name)} as enum (${valueList(values)})`,
        `Create enum ${name}`,
      );
      continue;
    }
    const removed = present.filter((value) => !values.includes(value));
    const asked = removed.every((value) => declared.dropEnumValues.get(name)?.has(value));
    const added = values.filter((value) => !present.includes(value));
    const kept = values.filter((value) => present.includes(value));
    const reordered = present.filter((value) => values.includes(value)).some((value, i) => value !== kept[i]);
    // A value added to an enum can't be used in the same transaction; a new enum's values can.
    const usedNow = added.some(
      (value) => used.includes(quoteLiteral(value).trim()) || used.includes(JSON.stringify(value)),
    );
    if (removed.length > 0 || reordered || usedNow) {
      replaceEnum(out, declared, name, actual, removed, asked);
    } else addValues(out, name, values, present);
  }
  for (const name of declared.dropEnums) {
    if (actual.enums.has(name))
      out.add("dropType", `drop type ${quoteIdent(name)}`, `Drop enum ${name}`, { asked: true });
  }
}

function addValues(
  out: StatementList,
  name: string,
  values: readonly string[],
  present: readonly string[],
): void {
  const known = [...present];
  for (const [i, value] of values.entries()) {
    if (known.includes(value)) continue;
    const previous = values[i - 1];
    const place =
      previous === undefined ? `before ${quoteLiteral(known[0]!)}` : `after ${quoteLiteral(previous)}`;
    out.add(
      "addType",
      `alter type ${quoteIdent(name)} add value ${quoteLiteral(value)} ${place}`,
      `Add ${value} to enum ${name}`,
    );
    known.push(value);
  }
}

/** The default a column is to have; the one it has may be a value that goes. */
const defaultAfter = (declared: Declared, table: string, column: ColumnModel): string | null => {
  const columns = declared.tables.find(({ name }) => name === table)?.columns;
  return (columns?.find(({ name }) => name === column.name) ?? column).default;
};

/** Makes the enum anew and moves every column over; rows that hold a removed value make it fail. */
function replaceEnum(
  out: StatementList,
  declared: Declared,
  name: string,
  actual: SchemaModel,
  removed: readonly string[],
  asked: boolean,
): void {
  const old = "_ambit_old_enum";
  const values = declared.enums.get(name)!;
  const type = quoteIdent(name);
  out.add("addType", `alter type ${type} rename to ${quoteIdent(old)}`, `Set enum ${name} aside`);
  const loss = removed.length > 0 ? { asked } : null;
  const description =
    removed.length > 0 ? `Remove ${removed.join(", ")} from enum ${name}` : `Make enum ${name} anew`;
  out.add("addType", `create type ${type} as enum (${valueList(values)})`, description, loss);
  for (const table of actual.tables.values()) {
    for (const column of table.columns.filter(({ type: { base } }) => base === name)) {
      const alter = (sql: string, what: string) =>
        out.add(
          "addType",
          alterTable(table.name, `alter column ${quoteIdent(column.name)} ${sql}`),
          `${what} ${table.name}.${column.name}`,
        );
      const brackets = column.type.array ? "[]" : "";
      if (column.default !== null) alter("drop default", "Set aside the default of");
      alter(
        `type ${type}${brackets} using ${quoteIdent(column.name)}::text${brackets}::${type}${brackets}`,
        `Move to the new ${name}:`,
      );
      const next = defaultAfter(declared, table.name, column);
      if (column.default !== null && next !== null) alter(`set default (${next})`, "Put back the default of");
    }
  }
  out.add("addType", `drop type ${quoteIdent(old)}`, `Drop the old enum ${name}`);
}
