import canonicalize from "canonicalize";
import { LedgerError } from "./errors.ts";
import { limits } from "./limits.ts";
import type { Json } from "./types.ts";

/**
 * The canonical JSON text (RFC 8785) of a value. Throws `not_canonical`, naming the place, for what JSON can't hold:
 * undefined, functions, bigints, NaN, infinities, lone surrogates, objects of a class, nesting beyond the limit.
 */
export function canonicalText(value: Json): string {
  const flaw = flawOf(value, 0);
  if (flaw !== null) throw new LedgerError("not_canonical", `The value${flaw}.`);
  // Numbers and texts are written as JSON.stringify writes them; only the order of names may differ.
  return isSorted(value, 0) ? JSON.stringify(value) : canonicalize(value)!;
}

/** What was read from a JSON text, and whether the text is the canonical one of it. */
export interface ReadText {
  readonly value: Json;
  readonly canonical: boolean;
}

/** Reads JSON. Throws SyntaxError, as JSON.parse does. */
export function readText(text: string): ReadText {
  const value = JSON.parse(text) as Json;
  return { value, canonical: isSimplyCanonical(value, text) || isCanonicalTextOf(value, text) };
}

/** Whether a text is canonical JSON. */
export function isCanonical(text: string): boolean {
  try {
    return readText(text).canonical;
  } catch {
    return false;
  }
}

/**
 * The quick answer for nearly all texts: keys that are read in canonical order are written in it. Number-like keys are
 * read in another order, and surrogates are escaped by JSON.stringify; those take the long way.
 */
const isSimplyCanonical = (value: Json, text: string) =>
  !text.includes("\\ud") && isSorted(value, 0) && JSON.stringify(value) === text;

function isCanonicalTextOf(value: Json, text: string): boolean {
  try {
    return canonicalText(value) === text;
  } catch {
    return false;
  }
}

function isSorted(value: unknown, depth: number): boolean {
  if (typeof value !== "object" || value === null) return true;
  if (depth === limits.depth) return false;
  if (Array.isArray(value)) return value.every((item) => isSorted(item, depth + 1));
  let last = "";
  for (const key of Object.keys(value)) {
    if (key < last || !isSorted((value as Record<string, unknown>)[key], depth + 1)) return false;
    last = key;
  }
  return true;
}

/** What keeps a value from being JSON, as the rest of a sentence; null when nothing does. */
function flawOf(value: unknown, depth: number): string | null {
  switch (typeof value) {
    case "boolean":
      return null;
    case "number":
      return Number.isFinite(value) ? null : ` is ${value}`;
    case "string":
      return value.isWellFormed() ? null : " has half of a surrogate pair";
    case "object":
      return value === null ? null : flawOfObject(value, depth);
    default:
      return ` is ${typeof value === "undefined" ? "undefined" : `a ${typeof value}`}`;
  }
}

function flawOfObject(value: object, depth: number): string | null {
  if (depth === limits.depth) return ` is nested deeper than ${limits.depth} levels`;
  if (Array.isArray(value)) {
    for (let at = 0; at < value.length; at++) {
      const flaw = flawOf(value[at], depth + 1);
      if (flaw !== null) return `[${at}]${flaw}`;
    }
    return null;
  }
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return " is not a plain object";
  for (const [key, item] of Object.entries(value)) {
    const flaw = key.isWellFormed() ? flawOf(item, depth + 1) : " has half of a surrogate pair in its name";
    if (flaw !== null) return `.${key.toWellFormed().slice(0, limits.quotedChars)}${flaw}`;
  }
  return null;
}
