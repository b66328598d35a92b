import type { AstFields } from "./parser.ts";

/** Reading single facts off parse-tree nodes. */

/** The items of a list field as [tag, fields]; empty for anything else. */
export function items(value: unknown): [string, AstFields][] {
  return Array.isArray(value) ? value.map(wrapped) : [];
}

/** A wrapped node as [tag, fields]; `["", {}]` where there is none. */
export function wrapped(value: unknown): [string, AstFields] {
  if (typeof value !== "object" || value === null) return ["", {}];
  const [tag, fields] = Object.entries(value)[0] ?? ["", {}];
  return [tag, (fields ?? {}) as AstFields];
}

/** The strings of a list of String nodes: a qualified name, or the column names of an alias. */
export function strings(value: unknown): string[] {
  return items(value).flatMap(([tag, { sval }]) => (tag === "String" ? [String(sval ?? "")] : []));
}

/** The names of a FuncCall: `pg_catalog.lower(x)` gives `["pg_catalog", "lower"]`. */
export const calledName = (fields: AstFields): string[] => strings(fields.funcname);

/** The text of a string literal, bare or cast as in `'x'::text`; undefined for anything else. */
export function literalText(value: unknown): string | undefined {
  const [tag, fields] = wrapped(value);
  if (tag === "TypeCast") return wrapped(fields.arg)[0] === "A_Const" ? literalText(fields.arg) : undefined;
  if (tag !== "A_Const" || typeof fields.sval !== "object" || fields.sval === null) return undefined;
  return String((fields.sval as AstFields).sval ?? "");
}

/** The value of an integer literal; undefined for anything else. */
export function literalInteger(value: unknown): number | undefined {
  const [tag, fields] = wrapped(value);
  if (tag !== "A_Const" || typeof fields.ival !== "object" || fields.ival === null) return undefined;
  return Number((fields.ival as AstFields).ival ?? 0);
}

// Where something stood in the text; everything else in a tree is meaning.
const PLACES = new Set([
  "location",
  "name_location",
  "list_start",
  "list_end",
  "rexpr_list_start",
  "rexpr_list_end",
]);

/** Do two trees mean the same, wherever their parts stood in the text? */
export function sameTree(a: unknown, b: unknown): boolean {
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return a === b;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const left = a as AstFields;
  const right = b as AstFields;
  const keys = new Set([...Object.keys(left), ...Object.keys(right)]);
  for (const key of keys) {
    if (!PLACES.has(key) && !sameTree(left[key], right[key])) return false;
  }
  return true;
}
