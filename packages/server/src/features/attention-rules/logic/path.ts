import type { Json } from "../../ledger/service.ts";

/**
 * What `a.b.0` names inside a value; undefined when there is no such thing. Only what the value itself has: nothing
 * that JavaScript adds to every object. Pure.
 */
export function lookup(value: Json, path: string): Json | undefined {
  let at: Json | undefined = value;
  for (const part of path.split(".")) {
    if (typeof at !== "object" || at === null) return undefined;
    if (Array.isArray(at)) {
      at = /^\d{1,9}$/.test(part) ? (at as readonly Json[])[Number(part)] : undefined;
    } else {
      at = Object.hasOwn(at, part) ? (at as Readonly<Record<string, Json>>)[part] : undefined;
    }
  }
  return at;
}
