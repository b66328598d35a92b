import { limits } from "./limits.ts";
import type { ParseFailure, Parser, Token } from "./parser.ts";
import type { Problem } from "./problems.ts";
import { measure, withoutComments } from "./tokens.ts";

/** The checks of a text that come before parsing: they keep the parser itself safe. */

/** The meaningful tokens of a text fit to be parsed, or why it is not. */
export function readText(parser: Parser, text: string, maxBytes: number): Token[] | Problem {
  const bytes = Buffer.byteLength(text);
  if (bytes > maxBytes) {
    return { code: "TOO_LONG", message: `The text has ${bytes} bytes; at most ${maxBytes} are allowed.` };
  }
  const bad = badCharacter(text);
  if (bad) return bad;
  if (text.trim() === "") return [];
  const scanned = parser.scan(text);
  if (!Array.isArray(scanned)) return failureProblem(scanned);
  const tokens = withoutComments(scanned);
  const { nesting, assignedColumns, nestedAssignment } = measure(tokens);
  if (nesting > limits.nestingTokens) {
    return { code: "TOO_COMPLEX", message: "The text is nested too deeply or chains too many operators." };
  }
  if (nestedAssignment || assignedColumns * tokens.length > limits.expandedTokens) {
    return {
      code: "TOO_COMPLEX",
      message: "Assign column by column (a = …, b = …) instead of (a, b, …) = (…).",
    };
  }
  return tokens;
}

// The parser takes the text as a C string, so it would stop at a null character and judge only what is before it.
function badCharacter(text: string): Problem | undefined {
  const found = /[^\P{Cc}\t\n\r]/u.exec(text);
  if (found) {
    const code = found[0].codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0");
    const message = `The control character U+${code} is not allowed; in a string write it as an escape, E'\\u${code}'.`;
    return { code: "BAD_CHARACTER", message, position: charsIn(text.slice(0, found.index)) + 1 };
  }
  if (text.isWellFormed()) return undefined;
  return {
    code: "BAD_CHARACTER",
    message: "The text is not valid Unicode: it contains half of a surrogate pair.",
  };
}

/** A failure of the parser as a problem; `shift` is how many characters were put before the caller's text. */
export function failureProblem(failure: ParseFailure, shift = 0): Problem {
  const code = failure.reason === "syntax" ? "SYNTAX" : "TOO_COMPLEX";
  const position = failure.offset === undefined ? undefined : Math.max(1, failure.offset - shift + 1);
  return { code, message: failure.message, ...(position && { position }) };
}

// Postgres counts characters as code points.
const charsIn = (text: string): number => [...text].length;

/** Turns byte offsets of the parsed text into positions, in characters from 1, of the caller's part of it. */
export function positionIn(parsed: string, shift = 0): (offset: number) => number | undefined {
  const bytes = Buffer.from(parsed);
  return (offset) => (offset < 0 ? undefined : charsIn(bytes.toString("utf8", 0, offset)) - shift + 1);
}
