import type { Json, JsonObject } from "../../ledger/service.ts";

/** Whether the value is a JSON object: neither null nor a list. */
export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Whether two JSON values are the same; the order of an object's names does not matter. Pure. */
export function equalJson(a: Json, b: Json): boolean {
  if (a === b) return true;
  if (Array.isArray(a) || Array.isArray(b)) {
    if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false;
    return a.every((each, at) => equalJson(each, b[at]!));
  }
  if (!isObject(a) || !isObject(b)) return false;
  const names = Object.keys(a);
  if (names.length !== Object.keys(b).length) return false;
  return names.every((name) => Object.hasOwn(b, name) && equalJson(a[name]!, b[name]!));
}

/**
 * `patch` applied to `target` as RFC 7396 says: null removes a name, objects are merged in depth, anything else
 * replaces. Pure.
 */
export function mergePatch(target: JsonObject, patch: JsonObject): JsonObject {
  const merged = new Map<string, Json>(Object.entries(target));
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) {
      merged.delete(name);
    } else if (isObject(value)) {
      const old = merged.get(name);
      merged.set(name, mergePatch(isObject(old) ? old : {}, value));
    } else {
      merged.set(name, value);
    }
  }
  // fromEntries defines names as they are; an assignment would take `__proto__` for something else.
  return Object.fromEntries(merged);
}

/** Every text and number in a value, in order; the names of fields are not among them. Pure. */
export function textsIn(value: Json | undefined): string[] {
  if (typeof value === "string") return [value];
  if (typeof value === "number") return [String(value)];
  if (typeof value !== "object" || value === null) return [];
  return Object.values(value).flatMap((part: Json) => textsIn(part));
}

/** The longest beginning of `text` that takes at most `bytes` as UTF-8; never half a character. Pure. */
export function cutBytes(text: string, bytes: number): string {
  if (text.length * 3 <= bytes) return text;
  const encoded = Buffer.from(text);
  if (encoded.length <= bytes) return text;
  let end = bytes;
  while (end > 0 && (encoded[end]! & 0xc0) === 0x80) end--;
  return encoded.toString("utf8", 0, end);
}
