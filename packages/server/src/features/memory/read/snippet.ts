import { fold } from "./fold.ts";

/**
 * A piece of the text of about `chars` characters around the first place where one of the words stands, or its
 * beginning; white space is made single spaces, and … stands for what is left out. `words` as the index has them; one
 * that ends in * stands for all that begin with it. Pure.
 */
export function snippetOf(text: string, words: readonly string[], chars: number): string {
  const plain = text.replace(/\s+/g, " ").trim();
  if (plain.length <= chars) return plain;
  const found = firstPlace(plain, words);
  const start = wordStart(plain, Math.max(0, Math.min(found - Math.floor(chars / 3), plain.length - chars)));
  const end = wordEnd(plain, start, start + chars);
  return `${start > 0 ? "…" : ""}${plain.slice(start, end).trim()}${end < plain.length ? "…" : ""}`;
}

/** Where the first of the words begins, else 0. */
function firstPlace(plain: string, words: readonly string[]): number {
  const whole = new Set(words.filter((word) => !word.endsWith("*")));
  const beginnings = words.filter((word) => word.endsWith("*")).map((word) => word.slice(0, -1));
  if (words.length === 0) return 0;
  for (const match of plain.matchAll(/[\p{L}\p{N}\p{M}]+/gu)) {
    for (const word of fold(match[0]).split(" ")) {
      if (whole.has(word) || (word !== "" && beginnings.some((each) => word.startsWith(each))))
        return match.index;
    }
  }
  return 0;
}

/** The beginning of the word at `at`, unless it is far; never within a surrogate pair. */
function wordStart(plain: string, at: number): number {
  const space = plain.lastIndexOf(" ", at);
  const start = at === 0 ? 0 : at - space <= FAR ? space + 1 : at;
  return isLowSurrogate(plain, start) ? start - 1 : start;
}

function wordEnd(plain: string, start: number, at: number): number {
  if (at >= plain.length) return plain.length;
  const space = plain.lastIndexOf(" ", at);
  const end = space > start && at - space <= FAR ? space : at;
  return isLowSurrogate(plain, end) ? end - 1 : end;
}

/** A longer word is cut. */
const FAR = 40;

const isLowSurrogate = (text: string, at: number): boolean => {
  const code = text.charCodeAt(at);
  return code >= 0xdc00 && code <= 0xdfff;
};
