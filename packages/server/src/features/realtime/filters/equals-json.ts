import { isDeepStrictEqual } from "node:util";

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
