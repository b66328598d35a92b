/** Texts as one Postgres array literal, e.g. `{"a","b \"c\"",NULL}`. */
export function arrayText(values: readonly (string | null)[]): string {
  return `{${values.map((value) => (value === null ? "NULL" : quoteElement(value))).join(",")}}`;
}

const quoteElement = (text: string): string => `"${text.replace(/[\\"]/g, "\\$&")}"`;
