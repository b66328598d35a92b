import { fold } from "./fold.ts";

/**
 * A piece of the text of about `chars` characters (at most two words more) around the first place where one of the
 * words stands, or its beginning; white space is made single spaces, and … stands for what is left out. `words` as the
 * index has them; one that ends in * stands for all that begin with it. Pure.
 */
export function snippetOf(text: string, words: readonly string[], chars: number): string {
  const plain = text.replace(/\s+/g, " ").trim();
  if (plain.length <= chars) return plain;
  const found = firstPlace(plain, words);
  const from = Math.max(0, Math.min(found.start - Math.floor(chars / 3), plain.length - chars));
  const start = wordStart(plain, from);
  const end = Math.max(wordEnd(plain, from + chars), Math.min(found.end, found.start + FAR));
  const whole = isLowSurrogate(plain, end) ? end + 1 : end;
  return `${start > 0 ? "…" : ""}${plain.slice(start, whole).trim()}${whole < plain.length ? "…" : ""}`;
}

/** Where the first of the words stands, else the beginning. */
function firstPlace(plain: string, words: readonly string[]): { start: number; end: number } {
  const whole = new Set(words.filter((word) => !word.endsWith("*")));
  const beginnings = words.filter((word) => word.endsWith("*")).map((word) => word.slice(0, -1));
  const isSought = (word: string) =>
    whole.has(word) || (word !== "" && beginnings.some((each) => word.startsWith(each)));
  for (const match of words.length === 0 ? [] : plain.matchAll(/[\p{L}\p{N}\p{M}]+/gu)) {
    if (fold(match[0]).split(" ").some(isSought))
      return { start: match.index, end: match.index + match[0].length };
  }
  return { start: 0, end: 0 };
}

/** The beginning of the word at `at`, unless it is far; never within a surrogate pair. */
function wordStart(plain: string, at: number): number {
  const space = plain.lastIndexOf(" ", at);
  const start = at === 0 ? 0 : at - space <= FAR ? space + 1 : at;
  return isLowSurrogate(plain, start) ? start - 1 : start;
}

/** The end of the word before `at`, unless it is far. */
function wordEnd(plain: string, at: number): number {
  if (at >= plain.length) return plain.length;
  const space = plain.lastIndexOf(" ", at);
  return at - space <= FAR ? space : at;
}

/** A longer word is cut. */
const FAR = 40;

const isLowSurrogate = (text: string, at: number): boolean => {
  const code = text.charCodeAt(at);
  return code >= 0xdc00 && code <= 0xdfff;
};
