import { quoteIdent, quoteLiteral } from "../../../engines/postgres/quote.ts";
import type { Declared } from "../document.ts";
import type { SchemaModel } from "../model.ts";
import { replaceEnum } from "./replace-enum.ts";
import type { StatementList } from "./statement.ts";

/** `'a', 'it''s'` */
export const valueList = (values: readonly string[]): string =>
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
    const kept = values.filter((value) => present.includes(value));
    const reordered = present.filter((value) => values.includes(value)).some((value, i) => value !== kept[i]);
    // A value added to an enum can't be used in the same transaction; a new enum's values can.
    const usedNow = values
      .filter((value) => !present.includes(value))
      .some((value) => used.includes(valueList([value])) || used.includes(JSON.stringify(value)));
    if (removed.length > 0 || reordered || usedNow) replaceEnum(out, declared, actual, name, removed);
    else addValues(out, name, values, present);
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
