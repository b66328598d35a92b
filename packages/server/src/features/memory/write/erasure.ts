import { errors } from "../../../kernel/errors.ts";
import type { Json, JsonObject } from "../../ledger/service.ts";
import type { MemoryRecord, RecordKind } from "../types.ts";
import { equalJson } from "./json.ts";
import { shapeOf } from "./shape.ts";

/** What stands where a text was that every record of its kind has. */
export const ERASED_TEXT = "[erased]";

/** What each field that holds what people say becomes; all others say how records hang together, and stay. */
const BLANK: Readonly<Record<RecordKind, JsonObject>> = {
  entity: {
    display_name: ERASED_TEXT,
    primary_email: null,
    canonical_keys: {},
    merged_keys: {},
    linked_app_user_id: null,
    linked_app_id: null,
    attrs: {},
  },
  decision: { title: ERASED_TEXT, rationale: null, retired_reason: null },
  commitment: { description: ERASED_TEXT, amount: null, unit: null, due_at: null, attrs: {} },
  learning: { title: ERASED_TEXT, description: ERASED_TEXT, resolution_taken: null },
  source_artifact: {
    title: ERASED_TEXT,
    external_system: null,
    external_id: null,
    summary: null,
    content: null,
    storage_object_id: null,
    url: null,
    attrs: {},
  },
  link: { attrs: {} },
};

/**
 * The record without the values of these fields (null: all that can be erased), each marked `erased: {<field>: true}`
 * in its data; the same record when nothing is left to erase. Throws VALIDATION_INVALID_SCHEMA for fields it has not.
 * An erased e-mail goes from the keys too. Pure.
 */
export function erasedRecord(record: MemoryRecord, fields: readonly string[] | null): MemoryRecord {
  const blank = BLANK[record.kind];
  const unknown = (fields ?? []).filter((field) => !Object.hasOwn(blank, field));
  if (unknown.length > 0) {
    throw errors.VALIDATION_INVALID_SCHEMA({
      message: `A ${record.kind} has no field to erase named ${unknown.join(", ")}; those it has: ${Object.keys(blank).join(", ")}.`,
      details: unknown.map((path) => ({ path, message: "can't be erased", code: "custom" })),
    });
  }
  const data: { [name: string]: Json } = { ...record.data };
  const marks: { [name: string]: Json } = { ...(record.data.erased as JsonObject | undefined) };
  for (const field of fields ?? Object.keys(blank)) {
    if (!Object.hasOwn(data, field)) continue;
    marks[field] = true;
    data[field] = blank[field]!;
    if (field === "primary_email") {
      data.canonical_keys = withoutName(data.canonical_keys as JsonObject, "email");
      data.merged_keys = withoutName(data.merged_keys as JsonObject, "email");
    }
  }
  data.erased = marks;
  if (equalJson(data, record.data)) return record;
  return { ...record, ...shapeOf(record.kind, data as never), data };
}

/** `data` without the marks of fields that say something again, unlike `before`. Pure. */
export function withoutOldMarks<D extends JsonObject>(before: JsonObject, data: D): D {
  if (data.erased === undefined) return data;
  const marks = Object.entries(data.erased as JsonObject).filter(([field]) =>
    equalJson(before[field] ?? null, data[field] ?? null),
  );
  return { ...data, erased: Object.fromEntries(marks) };
}

function withoutName(object: JsonObject, name: string): JsonObject {
  const { [name]: _, ...rest } = object;
  return rest;
}
