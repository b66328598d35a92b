import { isDeepStrictEqual } from "node:util";
import { sha256Hex } from "../../kernel/ids.ts";

/** A document's text: what was written, or, of one that came as a value, its JSON. Pure. */
export function textOf(document: unknown): string {
  return typeof document === "string" ? document : (JSON.stringify(document) ?? "");
}

/** What a text is known by: SHA-256 of its UTF-8 in hex. */
export const hashOf = sha256Hex;

/**
 * Whether two documents that are JSON differ in nothing but white space: the same members in the same order, the same values.
 * Pure. Such an edit changes no decision and makes no version; whatever else differs does.
 */
export function isSame(a: string, b: string): boolean {
  if (a === b) return true;
  const [left, right] = [JSON.parse(a), JSON.parse(b)] as unknown[];
  // The first tells 1e999 from null and 0 from −0, the second tells the order of members.
  return isDeepStrictEqual(left, right) && JSON.stringify(left) === JSON.stringify(right);
}

/** Whether a stored document is still what was written. Pure. */
export const isIntact = (stored: { readonly document: string; readonly document_sha256: string }): boolean =>
  hashOf(stored.document) === stored.document_sha256;

/** A stored document as a value; its text when it can't be read. Pure. */
export function documentIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
