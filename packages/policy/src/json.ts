import { type JsonProblem, JsonRefusal } from "./errors.ts";
import { JsonScan } from "./json-scan.ts";
import { limits } from "./limits.ts";
import type { Json } from "./types.ts";

export interface JsonBounds {
  /** Objects and lists inside one another, in levels; `[]` has one. Default 128. */
  readonly maxDepth?: number;
  /** In bytes of UTF-8. Default 10 MiB. */
  readonly maxBytes?: number;
}

export type JsonReading =
  | { readonly ok: true; readonly value: Json; readonly problems: readonly [] }
  | {
      readonly ok: false;
      /** What JSON.parse makes of it, for finding more problems in; undefined when that fails. Never act on it. */
      readonly value: Json | undefined;
      readonly problems: readonly JsonProblem[];
    };

/**
 * Reads JSON so that whoever parses the text, and whoever gets the value serialised again, understands the same. Refused
 * are: keys that are there twice once escapes are decoded, numbers a double can't carry, half surrogate pairs, a byte order
 * mark, what is nested too deeply or too large, and what is no JSON. Lists all problems, with pointers.
 */
export function readJson(text: string, bounds: JsonBounds = {}): JsonReading {
  const maxBytes = bounds.maxBytes ?? limits.messageBytes;
  if (isLarger(text, maxBytes)) return refused("too_large", `larger than ${maxBytes} bytes`);
  if (text.charCodeAt(0) === 0xfeff) return refused("byte_order_mark", "begins with a byte order mark");
  let value: Json;
  try {
    value = JSON.parse(text) as Json;
  } catch (error) {
    return refused("not_json", whereItFails((error as Error).message));
  }
  const problems = new JsonScan(text, bounds.maxDepth ?? limits.messageDepth).run();
  return problems.length === 0 ? { ok: true, value, problems: [] } : { ok: false, value, problems };
}

/** The value of a text that `readJson` finds nothing wrong with. Throws {@link JsonRefusal} with the first problem. */
export function strictParse(text: string, bounds?: JsonBounds): Json {
  const reading = readJson(text, bounds);
  if (!reading.ok) throw new JsonRefusal(reading.problems[0]!);
  return reading.value;
}

function refused(code: JsonProblem["code"], message: string): JsonReading {
  return { ok: false, value: undefined, problems: [{ code, pointer: "", message }] };
}

/** Bytes are counted only where the number of characters leaves it open. */
function isLarger(text: string, maxBytes: number): boolean {
  if (text.length > maxBytes) return true;
  if (text.length * 3 <= maxBytes) return false;
  let bytes = 0;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    // Each half of a pair counts two of the pair's four bytes.
    bytes += unit < 0x80 ? 1 : unit < 0x800 || (unit >= 0xd800 && unit <= 0xdfff) ? 2 : 3;
  }
  return bytes > maxBytes;
}

/** Says where, but repeats nothing of the text, as the engine's own message would. */
function whereItFails(message: string): string {
  const position = /at position (\d+)/.exec(message);
  if (position !== null) return `not JSON: something is wrong at character ${position[1]}`;
  if (message.includes("end of JSON")) return "not JSON: it ends too early";
  const token = /^Unexpected token '(.)'/u.exec(message);
  return token === null ? "not JSON" : `not JSON: unexpected ${token[1]}`;
}
