import type { Json, JsonObject } from "../../ledger/service.ts";

/** Segments of a dotted path, e.g. `attrs.amount`. */
export type Path = readonly string[];

/** What a path can be made of: no empty segments, and none Postgres would read otherwise than we do. */
const SEGMENT = /^[^\s.+"'\\]{1,100}$/u;

/** The segments of a dotted path, or null when it is none. */
export function readPath(text: string, maxSegments: number): Path | null {
  const segments = text.split(".");
  return segments.length <= maxSegments && segments.every((segment) => SEGMENT.test(segment))
    ? segments
    : null;
}

/** The value at the path, as Postgres's `#>` finds it; undefined when there is none. Pure. */
export function valueAt(payload: JsonObject, path: Path): Json | undefined {
  let value: Json | undefined = payload;
  for (const segment of path) {
    if (Array.isArray(value)) value = elementAt(value, segment);
    else if (typeof value === "object" && value !== null && Object.hasOwn(value, segment)) {
      value = (value as JsonObject)[segment];
    } else return undefined;
  }
  return value;
}

function elementAt(list: readonly Json[], segment: string): Json | undefined {
  if (!/^-?\d{1,9}$/.test(segment)) return undefined;
  return list.at(Number(segment));
}

export type Scalar = string | number | boolean | null;
