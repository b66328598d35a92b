import type { Json, JsonObject } from "../ledger/service.ts";
import type { MemoryRecord } from "../memory/service.ts";
import type { Binding, Variables } from "./types.ts";

/** What every condition and template can name: the instant and the day (UTC) of the firing. */
export const instant = (nowMs: number): Readonly<Record<"now" | "today", string>> => {
  const now = new Date(nowMs).toISOString();
  return { now, today: now.slice(0, 10) };
};

/** A snapshot's counts, by their names and as `snapshot`. Pure. */
export function snapshotBinding(snapshot: JsonObject, nowMs: number): Binding {
  return {
    key: "snapshot",
    shown: snapshot,
    variables: { ...snapshot, snapshot, ...instant(nowMs) },
  };
}

/**
 * A record's fields by their names: first what the record is, then what its capability keeps of it, which stands in
 * `data` too for where both have the same name. Pure.
 */
export function rowVariables(record: MemoryRecord, nowMs: number): Variables {
  const { data, ...own } = record;
  return { ...data, ...(own as unknown as Record<string, Json>), data, ...instant(nowMs) };
}

export function rowBinding(record: MemoryRecord, nowMs: number): Binding {
  return {
    key: record.id,
    shown: record as unknown as JsonObject,
    variables: rowVariables(record, nowMs),
  };
}
