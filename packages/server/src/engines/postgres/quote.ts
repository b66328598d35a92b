const MAX_IDENTIFIER_BYTES = 63;

/**
 * `name` as a quoted SQL identifier: `todo "x"` becomes `"todo ""x"""`.
 * Always quoted, so keywords and upper case keep their meaning.
 * @throws RangeError when Postgres could not hold the name as given: empty, longer than 63 bytes (it would be
 *   cut silently, and two names could become one) or with a null character in it.
 */
export function quoteIdent(name: string): string {
  if (name === "") throw new RangeError("An SQL identifier cannot be empty.");
  if (name.includes("\0")) throw new RangeError("An SQL identifier cannot contain a null character.");
  if (Buffer.byteLength(name) > MAX_IDENTIFIER_BYTES) {
    throw new RangeError(`An SQL identifier cannot be longer than ${MAX_IDENTIFIER_BYTES} bytes: ${name}`);
  }
  return `"${name.replaceAll('"', '""')}"`;
}

/**
 * `text` as an SQL string literal. Text with a backslash takes the `E'…'` form, which means the same whatever
 * `standard_conforming_strings` is set to (the rule libpq's PQescapeLiteral follows).
 * @throws RangeError when the text contains a null character, which no Postgres text can.
 */
export function quoteLiteral(text: string): string {
  if (text.includes("\0")) throw new RangeError("An SQL string cannot contain a null character.");
  const quoted = text.replaceAll("'", "''");
  return quoted.includes("\\") ? ` E'${quoted.replaceAll("\\", "\\\\")}'` : `'${quoted}'`;
}
