import { RE2JS } from "re2js";
import { limits } from "./limits.ts";

export interface Regex {
  /** Whether it matches anywhere in the text; time is linear in the text. */
  test(text: string): boolean;
}

/** Compiles a document's regular expressions, each text once, within bounds for one and for all of them together. */
export class Regexes {
  readonly #compiled = new Map<string, Regex | string>();
  #instructions = 0;

  /** The expression, or in words why there is none. */
  compile(pattern: string): Regex | string {
    const known = this.#compiled.get(pattern);
    if (known !== undefined) return known;
    const compiled = this.#tryTo(pattern);
    this.#compiled.set(pattern, compiled);
    return compiled;
  }

  #tryTo(pattern: string): Regex | string {
    if (pattern.length > limits.regexChars) return `longer than ${limits.regexChars} characters`;
    if (this.#instructions > limits.documentRegexInstructions) {
      return "the document's regular expressions are too large together";
    }
    try {
      const regex = RE2JS.compile(pattern);
      const size = regex.programSize();
      this.#instructions += size;
      if (size > limits.regexInstructions) {
        return `too large: ${size} instructions, of which ${limits.regexInstructions} are allowed`;
      }
      return regex;
    } catch (error) {
      return `does not compile (RE2 syntax): ${(error as Error).message}`;
    }
  }
}
