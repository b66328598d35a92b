/** What `JSON.parse` tells a reviver beside key and value (ECMAScript 2026, JSON.parse source text access). */
type Reviver = (this: unknown, key: string, value: unknown, context: { source?: string }) => unknown;

const { rawJSON } = JSON as unknown as { rawJSON(text: string): object };

/** Numbers of no more digits than this are exact as JavaScript numbers. */
const SAFE_DIGITS = 15;

const keepDigits: Reviver = (_key, value, { source }) => {
  if (typeof value !== "number" || source === undefined) return value;
  const lossy = source.length > SAFE_DIGITS ? String(value) !== source : !Number.isFinite(value);
  return lossy ? rawJSON(source) : value;
};

/**
 * Parses JSON so that `JSON.stringify` writes every number with the digits it had: a bigint or numeric too long for a
 * JavaScript number becomes a raw JSON object (`JSON.isRawJSON`). Throws SyntaxError like `JSON.parse`.
 */
export function exactJson(text: string): unknown {
  return JSON.parse(text, keepDigits as Parameters<typeof JSON.parse>[1]);
}
