import type { JsonProblem, JsonProblemCode } from "./errors.ts";
import { carriesExactly } from "./json-number.ts";
import { limits } from "./limits.ts";
import { pointerOf } from "./pointer.ts";

const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const ZERO = 0x30;
const NINE = 0x39;
const OPEN_LIST = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_LIST = 0x5d;
const LETTER_U = 0x75;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
/** A number that is written in so many characters without an exponent never loses a digit: a double keeps 15. */
const SAFE_NUMBER_CHARS = 15;
/** From so many keys on an object's are looked up in a set. */
const KEYS_COMPARED = 12;

/**
 * One pass over a text that JSON.parse has accepted (which is why no grammar is checked here), finding what JSON.parse
 * lets through and another reader may understand differently.
 */
export class JsonScan {
  readonly problems: JsonProblem[] = [];
  readonly #text: string;
  readonly #maxDepth: number;
  /** Whether the text itself, not an escape in it, has half a surrogate pair somewhere. */
  readonly #torn: boolean;
  #depth = 0;
  /** Per level: the key or the index that is being read. */
  readonly #steps: (string | number)[] = [];
  /** The keys read so far of all open objects, innermost last; per level, where its own begin (−1: a list). */
  readonly #keys: string[] = [];
  readonly #starts: number[] = [];
  readonly #sets: (Set<string> | undefined)[] = [];
  #wantsKey = false;
  #escaped = false;

  constructor(text: string, maxDepth: number) {
    this.#text = text;
    this.#maxDepth = maxDepth;
    this.#torn = !text.isWellFormed();
  }

  /** Reads all of it; stops early only where it is nested too deeply. */
  run(): readonly JsonProblem[] {
    const text = this.#text;
    const end = text.length;
    let at = 0;
    while (at < end) {
      const char = text.charCodeAt(at);
      if (char === QUOTE) {
        const close = this.#string(at + 1);
        if (this.#wantsKey) this.#key(at + 1, close);
        at = close + 1;
      } else if (char === COMMA) {
        this.#comma();
        at++;
      } else if ((char >= ZERO && char <= NINE) || char === MINUS) {
        at = this.#number(at);
      } else {
        if (char === OPEN_OBJECT || char === OPEN_LIST) {
          if (!this.#open(char === OPEN_OBJECT)) break;
        } else if (char === CLOSE_OBJECT || char === CLOSE_LIST) {
          this.#close();
        }
        at++;
      }
    }
    return this.problems;
  }

  #open(object: boolean): boolean {
    if (this.#depth === this.#maxDepth) {
      this.#found("too_deep", `nested more than ${this.#maxDepth} levels deep`);
      return false;
    }
    this.#starts[this.#depth] = object ? this.#keys.length : -1;
    this.#steps[this.#depth] = 0;
    this.#depth++;
    this.#wantsKey = object;
    return true;
  }

  #close(): void {
    this.#depth--;
    const start = this.#starts[this.#depth]!;
    if (start >= 0) {
      this.#keys.length = start;
      this.#sets[this.#depth] = undefined;
    }
    this.#wantsKey = false;
  }

  #comma(): void {
    const level = this.#depth - 1;
    if (this.#starts[level]! >= 0) this.#wantsKey = true;
    else this.#steps[level] = (this.#steps[level] as number) + 1;
  }

  /** `from` is after the opening quote; answers where the closing one is. */
  #string(from: number): number {
    const text = this.#text;
    let at = from;
    let escaped = false;
    for (let char = text.charCodeAt(at); char !== QUOTE; char = text.charCodeAt(at)) {
      if (char !== BACKSLASH) {
        at++;
        continue;
      }
      escaped = true;
      at = text.charCodeAt(at + 1) === LETTER_U ? this.#unicodeEscape(at) : at + 2;
    }
    this.#escaped = escaped;
    if (this.#torn && !text.slice(from, at).isWellFormed()) this.#surrogate();
    return at;
  }

  /** `\uXXXX` at `at`, with its other half where it has one; answers what comes after. */
  #unicodeEscape(at: number): number {
    const unit = this.#unit(at);
    if (unit < 0xd800 || unit > 0xdfff) return at + 6;
    if (unit < 0xdc00 && this.#text.startsWith("\\u", at + 6)) {
      const low = this.#unit(at + 6);
      if (low >= 0xdc00 && low <= 0xdfff) return at + 12;
    }
    this.#surrogate();
    return at + 6;
  }

  #unit(at: number): number {
    return Number.parseInt(this.#text.slice(at + 2, at + 6), 16);
  }

  #surrogate(): void {
    this.#found("lone_surrogate", "half a surrogate pair, which is no character");
  }

  #key(from: number, to: number): void {
    const level = this.#depth - 1;
    const raw = this.#text.slice(from, to);
    const key = this.#escaped ? (JSON.parse(`"${raw}"`) as string) : raw;
    this.#wantsKey = false;
    this.#steps[level] = key;
    if (this.#isSecond(level, key)) this.#found("duplicate_key", "this key is there twice");
  }

  #isSecond(level: number, key: string): boolean {
    const start = this.#starts[level]!;
    const keys = this.#keys;
    const known = this.#sets[level];
    if (known !== undefined) {
      if (known.has(key)) return true;
      known.add(key);
      return false;
    }
    for (let at = start; at < keys.length; at++) if (keys[at] === key) return true;
    keys.push(key);
    if (keys.length - start > KEYS_COMPARED) this.#sets[level] = new Set(keys.slice(start));
    return false;
  }

  #number(from: number): number {
    const text = this.#text;
    let at = from + 1;
    let exponent = false;
    for (; at < text.length; at++) {
      const char = text.charCodeAt(at);
      // Digits and `.`, then `e`, `E`, `+` and `-`.
      if ((char >= ZERO && char <= NINE) || char === 0x2e) continue;
      if (char !== 0x65 && char !== 0x45 && char !== 0x2b && char !== MINUS) break;
      exponent = true;
    }
    if ((exponent || at - from > SAFE_NUMBER_CHARS) && !carriesExactly(text.slice(from, at))) {
      this.#found("inexact_number", "a number that can't be carried exactly; send it as a string");
    }
    return at;
  }

  #found(code: JsonProblemCode, message: string): void {
    if (this.problems.length >= limits.problems) return;
    // What is wrong inside a key is told of the object.
    const steps = this.#steps.slice(0, this.#wantsKey ? this.#depth - 1 : this.#depth);
    this.problems.push({ code, pointer: pointerOf(steps), message });
  }
}
