import type { Json } from "../../features/ledger/service.ts";

/** A value without parts; `{}` and `[]` stand for an empty object and an empty list. */
export type Leaf = { readonly scalar: string | number | boolean | null } | { readonly empty: "{}" | "[]" };

/** One leaf of a JSON value and how it is reached. */
export interface Field {
  readonly path: readonly string[];
  readonly leaf: Leaf;
}

/** One leaf that differs; null where it is not there. */
export interface ChangedField {
  readonly path: readonly string[];
  readonly before: Leaf | null;
  readonly after: Leaf | null;
}

/** Every leaf of a value, in its order; nothing for `undefined`. Pure. */
export function fieldsOf(value: Json | undefined, path: readonly string[] = []): Field[] {
  if (value === undefined) return [];
  if (typeof value !== "object" || value === null) return [{ path, leaf: { scalar: value } }];
  const parts = Array.isArray(value)
    ? value.map((each, at): [string, Json] => [String(at), each])
    : Object.entries(value as { [name: string]: Json });
  if (parts.length === 0) return [{ path, leaf: { empty: Array.isArray(value) ? "[]" : "{}" } }];
  return parts.flatMap(([name, each]) => fieldsOf(each, [...path, name]));
}

/** The leaves in which two values differ: those of `before` in its order, then what is new. Null is nothing there. Pure. */
export function changesOf(before: Json | undefined, after: Json | undefined): ChangedField[] {
  const keyOf = (path: readonly string[]) => JSON.stringify(path);
  const olds = fieldsOf(before ?? undefined);
  const news = new Map(fieldsOf(after ?? undefined).map((field) => [keyOf(field.path), field]));
  const changed: ChangedField[] = [];
  for (const { path, leaf } of olds) {
    const next = news.get(keyOf(path))?.leaf ?? null;
    news.delete(keyOf(path));
    if (next === null || JSON.stringify(next) !== JSON.stringify(leaf)) {
      changed.push({ path, before: leaf, after: next });
    }
  }
  for (const { path, leaf } of news.values()) changed.push({ path, before: null, after: leaf });
  return changed;
}
