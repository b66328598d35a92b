import { dataErrors } from "./errors.ts";

/** One key of an order that leaves no two rows equal, as SQL over the table's alias. */
export interface OrderKey {
  readonly sql: string;
  /** What the key is, for comparing a cursor with the request it is used in. */
  readonly name: string;
  readonly descending: boolean;
  readonly nullsFirst: boolean;
  readonly nullable: boolean;
}

/** What tells one order from another. */
export const orderSignature = (keys: readonly OrderKey[]): string =>
  keys
    .map(
      ({ name, descending, nullsFirst }) =>
        `${name}.${descending ? "desc" : "asc"}.${nullsFirst ? "first" : "last"}`,
    )
    .join(",");

/** The place after a row: its key values, as Postgres writes them, under one order. Opaque to clients. */
export function encodeCursor(signature: string, keysJson: string): string {
  return Buffer.from(JSON.stringify([signature, JSON.parse(keysJson)])).toString("base64url");
}

/** @throws VALIDATION_INVALID_CURSOR for anything but a cursor made under the same order. */
export function decodeCursor(cursor: string, signature: string, keyCount: number): (string | null)[] {
  let decoded: unknown;
  try {
    decoded = JSON.parse(Buffer.from(cursor, "base64url").toString("utf8"));
  } catch {
    throw dataErrors.VALIDATION_INVALID_CURSOR({ message: "The cursor is not one this server gave." });
  }
  const [madeUnder, values] = Array.isArray(decoded) ? decoded : [];
  const wellFormed =
    Array.isArray(values) && values.every((value) => value === null || typeof value === "string");
  if (!wellFormed) {
    throw dataErrors.VALIDATION_INVALID_CURSOR({ message: "The cursor is not one this server gave." });
  }
  if (madeUnder !== signature || values.length !== keyCount) throw dataErrors.VALIDATION_INVALID_CURSOR();
  return values;
}

/**
 * The condition "comes after this place in this order". `place` gives the parameter for the nth key value, which is
 * known not to be null. Pure.
 */
export function afterSql(
  keys: readonly OrderKey[],
  values: readonly (string | null)[],
  place: (index: number) => string,
): string {
  if (isPlain(keys)) {
    const sign = keys[0]!.descending ? "<" : ">";
    const columns = keys.map(({ sql }) => sql).join(", ");
    return `(${columns}) ${sign} (${keys.map((_, index) => place(index)).join(", ")})`;
  }
  const branches: string[] = [];
  const equals: string[] = [];
  keys.forEach((key, index) => {
    const isNull = values[index] === null;
    const later = laterSql(key, isNull, () => place(index));
    if (later !== null) branches.push([...equals, later].join(" and "));
    equals.push(isNull ? `${key.sql} is null` : `${key.sql} = ${place(index)}`);
  });
  return branches.length === 0 ? "false" : `(${branches.map((branch) => `(${branch})`).join(" or ")})`;
}

/** Row comparison, which an index can serve, needs one direction and no nulls. */
const isPlain = (keys: readonly OrderKey[]): boolean =>
  keys.every((key) => !key.nullable && key.descending === keys[0]!.descending);

/** Null when nothing comes after by this key alone. */
function laterSql(key: OrderKey, isNull: boolean, place: () => string): string | null {
  if (isNull) return key.nullsFirst ? `${key.sql} is not null` : null;
  const beyond = `${key.sql} ${key.descending ? "<" : ">"} ${place()}`;
  return key.nullable && !key.nullsFirst ? `(${beyond} or ${key.sql} is null)` : beyond;
}
