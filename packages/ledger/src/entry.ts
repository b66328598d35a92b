import { canonicalText } from "./canonical.ts";
import { LedgerError } from "./errors.ts";
import { limits } from "./limits.ts";
import type { LedgerEntry } from "./types.ts";

export { isCanonical } from "./canonical.ts";

/** Says whether a field's value has the right form. */
type Check = (value: unknown) => boolean;

const ACTOR_TYPES = new Set(["person", "agent", "app", "rule", "grant", "user", "system", "anonymous"]);
const ID = /^led_[0-9a-hjkmnp-tv-z]{26}$/;
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const COMMITMENT = /^[A-Za-z0-9_-]{43}$/;

const isText: Check = (value) => typeof value === "string";
const isTextOrNull: Check = (value) => value === null || typeof value === "string";
const isInstant: Check = (value) =>
  typeof value === "string" && INSTANT.test(value) && !Number.isNaN(Date.parse(value));
const isKind: Check = (value) =>
  typeof value === "string" && value.length > 0 && value.length <= limits.kindChars;
const isCommitment: Check = (value) => typeof value === "string" && COMMITMENT.test(value);

const ENTRY: ReadonlyMap<string, readonly [check: Check, form: string]> = new Map([
  ["v", [(value) => value === 1, "1"]],
  ["id", [(value) => typeof value === "string" && ID.test(value), "led_ and a ULID in lower case"]],
  ["at", [isInstant, "an instant in UTC with milliseconds, as 2026-01-31T12:00:00.000Z"]],
  ["kind", [isKind, `a text of 1 to ${limits.kindChars} characters`]],
  ["org", [isTextOrNull, "a text or null"]],
  ["app", [isTextOrNull, "a text or null"]],
  ["actor", [isObject, "an object"]],
  ["subject", [isTextOrNull, "a text or null"]],
  ["data", [isObject, "an object"]],
  ["sealed", [isObject, "an object"]],
]);

/** The text that goes into the tree: canonical JSON (RFC 8785). Throws `entry_malformed` or `not_canonical`. */
export function canonicalEntry(entry: LedgerEntry): string {
  const flaw = flawOfEntry(entry);
  if (flaw !== null) throw new LedgerError("entry_malformed", flaw);
  return canonicalText(entry as never);
}

/**
 * Reads an entry. Throws `entry_malformed`, naming the field, unless the text is JSON of exactly an entry's fields.
 * Whether it is the canonical text is another question, see `isCanonical`.
 */
export function parseEntry(text: string): LedgerEntry {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new LedgerError("entry_malformed", "The entry is not JSON.");
  }
  const flaw = flawOfEntry(value);
  if (flaw !== null) throw new LedgerError("entry_malformed", flaw);
  return value as LedgerEntry;
}

/** What keeps a value from being an entry, as a sentence; null when it is one. */
export function flawOfEntry(value: unknown): string | null {
  if (!isObject(value)) return "The entry is not an object.";
  for (const [name, [check, form]] of ENTRY) {
    if (!Object.hasOwn(value, name)) return `The entry has no ${name}.`;
    if (!check(value[name])) return `The entry's ${name} is not ${form}.`;
  }
  const stranger = Object.keys(value).find((name) => !ENTRY.has(name));
  if (stranger !== undefined) return `The entry has the unknown field ${quoted(stranger)}.`;
  return flawOfActor(value.actor as Record<string, unknown>) ?? flawOfSealed(value.sealed as object);
}

function flawOfActor(actor: Record<string, unknown>): string | null {
  for (const [name, value] of Object.entries(actor)) {
    const right = name === "type" ? isText(value) && ACTOR_TYPES.has(value as string) : isTextOrNull(value);
    if (!["type", "id", "account"].includes(name)) return `The actor has the unknown field ${quoted(name)}.`;
    if (!right && !(name === "account" && value === undefined))
      return `The actor's ${name} is not of a known form.`;
  }
  return Object.hasOwn(actor, "type") && Object.hasOwn(actor, "id")
    ? null
    : "The actor has no type, or no id.";
}

function flawOfSealed(sealed: object): string | null {
  for (const [name, value] of Object.entries(sealed)) {
    if (!isCommitment(value)) return `What is sealed as ${quoted(name)} is not a commitment.`;
  }
  return null;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const quoted = (text: string) => JSON.stringify(text.slice(0, limits.quotedChars));
