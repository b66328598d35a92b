/**
 * Values as texts, per kind. Within a kind two values are equal in SQL exactly if their canonical texts are, and the
 * log writes canonical texts.
 */

/** Kinds of values that compiled policies compare; an enum by its name. */
export type Kind = "text" | "uuid" | "int2" | "int4" | "int8" | "bool" | "json" | `enum ${string}`;

const KINDS: ReadonlyMap<string, Kind> = new Map([
  ["text", "text"],
  ["varchar", "text"],
  ["uuid", "uuid"],
  ["int2", "int2"],
  ["int4", "int4"],
  ["int8", "int8"],
  ["bool", "bool"],
  ["json", "json"],
  ["jsonb", "json"],
]);

/** The kind of a built-in type, by its name in pg_type; undefined for one that is not compared here. */
export const kindOf = (typeName: string): Kind | undefined => KINDS.get(typeName);

const INT_BITS: Readonly<Record<string, bigint>> = { int2: 16n, int4: 32n, int8: 64n };

/** What texts of this kind can be compared with: all integers are one family. */
export const familyOf = (kind: Kind): string => (kind in INT_BITS ? "int" : kind);

/** The least and greatest integer of a kind; undefined if it is none. */
export function rangeOf(kind: Kind): readonly [bigint, bigint] | undefined {
  const bits = INT_BITS[kind];
  return bits === undefined ? undefined : [-(1n << (bits - 1n)), (1n << (bits - 1n)) - 1n];
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const INTEGER = /^(0|-?[1-9][0-9]{0,18})$/;
const BOOLEANS: ReadonlyMap<string, string> = new Map([
  ["true", "t"],
  ["t", "t"],
  ["false", "f"],
  ["f", "f"],
]);

/**
 * A text cast to a kind: its canonical text, or undefined where that is not certain, as for texts which Postgres
 * would refuse or reads in a form of its own.
 */
export function castText(text: string, to: Kind): string | undefined {
  if (to === "text") return text;
  if (to === "uuid") return UUID.test(text) ? text : undefined;
  if (to === "bool") return BOOLEANS.get(text);
  const range = rangeOf(to);
  if (range === undefined || !INTEGER.test(text)) return undefined;
  const value = BigInt(text);
  return value >= range[0] && value <= range[1] ? text : undefined;
}

/** Whether every value of one kind becomes one of the other with the same canonical text. */
export function keepsText(from: Kind, to: Kind): boolean {
  if (from === to) return true;
  if (to === "text") return from !== "bool" && from !== "json";
  return from in INT_BITS && to in INT_BITS && INT_BITS[from]! <= INT_BITS[to]!;
}

/** Several texts as one key. */
export function joinTexts(texts: readonly string[]): string {
  if (texts.length === 1) return texts[0]!;
  let key = "";
  for (const text of texts) key += `${text.length}:${text}`;
  return key;
}
