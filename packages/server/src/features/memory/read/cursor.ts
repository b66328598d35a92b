import { memoryReadErrors } from "./errors.ts";

/** Places in lists are handed out as opaque texts: a list of texts and numbers in base64url. */
export function encodeCursor(place: readonly (string | number)[]): string {
  return Buffer.from(JSON.stringify(place)).toString("base64url");
}

/** What a cursor's parts have to be. */
type Shape = readonly ("string" | "number" | "time")[];

/** Reads a cursor; throws MEMORY_CURSOR_INVALID for anything that is not one of this shape. Pure. */
export function decodeCursor(cursor: string, shape: Shape): (string | number)[] {
  let place: unknown;
  try {
    place = JSON.parse(Buffer.from(cursor, "base64url").toString("utf8"));
  } catch {
    throw memoryReadErrors.MEMORY_CURSOR_INVALID();
  }
  const fits =
    Array.isArray(place) &&
    place.length === shape.length &&
    place.every((part, at) => isPart(part, shape[at]!));
  if (!fits) throw memoryReadErrors.MEMORY_CURSOR_INVALID();
  return (place as (string | number)[]).map((part, at) =>
    shape[at] === "time" ? new Date(part).toISOString() : part,
  );
}

function isPart(part: unknown, kind: Shape[number]): boolean {
  if (kind === "number") return typeof part === "number" && Number.isFinite(part);
  if (typeof part !== "string" || part.includes("\0") || !part.isWellFormed()) return false;
  return kind === "string" || isInstant(part);
}

/** Whether the text is an instant in the form lists give out. */
const isInstant = (text: string): boolean =>
  /^(?!0000)\d{4}-\d\d-\d\dT/.test(text) && isStorable(new Date(text));

/** Whether Postgres reads the instant as it is written: it has no year 0, and further years are written otherwise. */
export const isStorable = (instant: Date): boolean =>
  Number.isFinite(instant.getTime()) && instant.getUTCFullYear() >= 1 && instant.getUTCFullYear() <= 9999;

/** Where a list ordered by change goes on: after this row. */
export interface Place {
  /** ISO 8601, or `infinity`. */
  readonly at: string;
  readonly id: string;
}

export const FIRST_PLACE: Place = { at: "infinity", id: "" };

export const encodePlace = (row: { readonly updated_at: string; readonly id: string }): string =>
  encodeCursor([row.updated_at, row.id]);

/** Reads what `encodePlace` gave, or an instant: what was changed before it. Throws MEMORY_CURSOR_INVALID. */
export function decodePlace(before: string | undefined): Place {
  if (before === undefined) return FIRST_PLACE;
  if (isInstant(before)) return { at: new Date(before).toISOString(), id: "" };
  const [at, id] = decodeCursor(before, ["time", "string"]);
  return { at: String(at), id: String(id) };
}
