import { type ColumnType, readType } from "./column-type.ts";

/** Texts of SQL expressions as Postgres prints them and as people write them, brought closer together. Pure. */

/** The text without parentheses that only enclose all of it: `((a > 0))` → `a > 0`. */
export function withoutOuterParens(text: string): string {
  let inner = text.trim();
  while (inner.startsWith("(") && closingOf(inner) === inner.length - 1) inner = inner.slice(1, -1).trim();
  return inner;
}

/** Where the parenthesis that opens at 0 closes; -1 when it does not. Skips strings and quoted names. */
function closingOf(text: string): number {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === "'" || character === '"') {
      at = endOfQuoted(text, at);
      if (at < 0) return -1;
    } else if (character === "(") depth += 1;
    else if (character === ")" && --depth === 0) return at;
  }
  return -1;
}

/** Position of the closing quote; a doubled quote is no end. E'…' strings are never simplified, see below. */
function endOfQuoted(text: string, start: number): number {
  const quote = text[start]!;
  if (quote === "'" && /[eE]$/.test(text.slice(0, start)) && text.includes("\\")) return -1;
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] !== quote) continue;
    if (text[at + 1] === quote) at += 1;
    else return at;
  }
  return -1;
}

const CAST_LITERAL = /^('(?:[^']|'')*')::(.+)$/s;
const NUMBER_LITERAL = /^'(-?\d+(?:\.\d+)?)'$/;
const NUMERIC_BASES = new Set(["smallint", "integer", "bigint", "real", "double precision", "numeric"]);

const NO_ENUMS: ReadonlySet<string> = new Set();
const EXTENSION_TYPES: ReadonlySet<string> = new Set(["citext", "vector"]);

/** Whether a written type is the column's, whatever its length: `character varying` is that of a `varchar(20)`. */
function isTypeOf(written: string, type: ColumnType): boolean {
  if (written.replaceAll('"', "") === type.text) return true;
  const read = readType(written === "bpchar" ? "char" : written, NO_ENUMS, EXTENSION_TYPES)?.type;
  return read !== undefined && read.base === type.base && read.array === type.array;
}

/**
 * A default without the cast that Postgres adds to a literal of the column's own type: `'x'::text` → `'x'`,
 * and a
 * negative number without the quotes: `'-1'::integer` → `-1`.
 */
export function plainDefault(text: string | null, type: ColumnType): string | null {
  if (text === null) return null;
  const bare = withoutOuterParens(text);
  if (/^null(?:\s*::.+)?$/is.test(bare)) return null;
  const cast = CAST_LITERAL.exec(bare);
  if (cast === null) return bare;
  const number = NUMBER_LITERAL.exec(cast[1]!);
  if (number !== null && !type.array && NUMERIC_BASES.has(type.base) && isNumeric(cast[2]!))
    return number[1]!;
  return isTypeOf(cast[2]!, type) ? cast[1]! : bare;
}

const isNumeric = (written: string): boolean =>
  NUMERIC_BASES.has(readType(written, NO_ENUMS, EXTENSION_TYPES)?.type.text ?? "");
