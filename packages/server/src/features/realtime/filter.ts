import { isDeepStrictEqual } from "node:util";

/** A client's own condition on rows: every column must equal its value. */
export type Filter = ReadonlyMap<string, unknown>;

/** Any of these lets a row through; null lets every row through. */
export type Filters = readonly Filter[] | null;

/** Adds one subscribe frame's filter to those before it: several filters mean "any of them". */
export function addFilter(filters: Filters | undefined, added: Filter | null): Filters {
  if (added === null || filters === null) return null;
  if (filters === undefined) return [added];
  return filters.some((filter) => isDeepStrictEqual(filter, added)) ? filters : [...filters, added];
}

/**
 * Whether a row is let through; `json` gives a column's value as JSON text, or null for a column that is not there
 * or may not be read, which equals nothing.
 */
export function passes(filters: Filters, json: (column: string) => string | null): boolean {
  if (filters === null) return true;
  return filters.some((filter) => {
    for (const [column, wanted] of filter) {
      const text = json(column);
      if (text === null || !equalsJson(wanted, text)) return false;
    }
    return true;
  });
}

/** Equality of a filter's value and a column's JSON text. A number equals the same number written as a string. */
export function equalsJson(wanted: unknown, text: string): boolean {
  if (typeof wanted === "string" && !text.startsWith('"')) {
    return isNumber(text) && isNumber(wanted) && sameNumber(wanted, text);
  }
  if (typeof wanted === "number") {
    const bare = text.startsWith('"') ? text.slice(1, -1) : text;
    return isNumber(bare) && sameNumber(String(wanted), bare);
  }
  if (wanted === null || typeof wanted === "boolean") return text === String(wanted);
  return isDeepStrictEqual(JSON.parse(text), wanted);
}

const isNumber = (text: string): boolean => /^-?\d+(\.\d+)?(e[+-]?\d{1,4})?$/i.test(text);

const sameNumber = (a: string, b: string): boolean => canonicalNumber(a) === canonicalNumber(b);

/** A decimal number as sign, digits without zeros at either end, and the power of ten of the last digit. */
function canonicalNumber(text: string): string {
  const [mantissa = "", exponent = "0"] = text.toLowerCase().split("e");
  const negative = mantissa.startsWith("-");
  const [whole = "", fraction = ""] = mantissa.slice(negative ? 1 : 0).split(".");
  const digits = (whole + fraction).replace(/^0+/, "");
  const short = digits.replace(/0+$/, "");
  if (short === "") return "0";
  return `${negative ? "-" : ""}${short}e${Number(exponent) - fraction.length + digits.length - short.length}`;
}
