import { sha256Hex } from "../../kernel/ids.ts";
import type { Json, JsonObject } from "../ledger/service.ts";

const ULID = /\b([a-z]{2,8}_)([0-9a-hjkmnp-tv-z]{10})([0-9a-hjkmnp-tv-z]{16})\b/g;
const TIME = /\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)/g;
const CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz";

/** When a preview was computed, in milliseconds since the epoch; both ends belong to it. */
export interface Computed {
  readonly fromMs: number;
  readonly toMs: number;
}

/**
 * Names a preview: equal for previews that mean the same, however their fields are ordered. Ids and times that came
 * into being while it was computed count as "a new id" and "now", since trying again makes others. Pure.
 */
export function previewHash(preview: JsonObject, computed: Computed): string {
  const newIds = new Map<string, string>();
  const within = (ms: number) => ms >= computed.fromMs && ms <= computed.toMs;
  const settle = (text: string): string =>
    text
      .replace(ULID, (id, prefix: string, time: string) => {
        if (!within(millisecondsOf(time))) return id;
        if (!newIds.has(id)) newIds.set(id, `${prefix}(new ${newIds.size + 1})`);
        return newIds.get(id)!;
      })
      .replace(TIME, (time) => (within(Date.parse(time)) ? "(now)" : time));
  return sha256Hex(canonical(preview, settle));
}

/** JSON with the names of every object in order. Pure. */
function canonical(value: Json, settle: (text: string) => string): string {
  if (typeof value === "string") return JSON.stringify(settle(value));
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map((each) => canonical(each, settle)).join()}]`;
  const fields = Object.entries(value as JsonObject).filter(([, each]) => each !== undefined);
  fields.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${fields.map(([name, each]) => `${JSON.stringify(name)}:${canonical(each, settle)}`).join()}}`;
}

/** The time in the first ten characters of a ULID. */
function millisecondsOf(time: string): number {
  let ms = 0;
  for (const character of time) ms = ms * 32 + CROCKFORD.indexOf(character);
  return ms;
}
