import { wordsOf } from "./fold.ts";
import { limits } from "./limits.ts";

/** A word as it is indexed. */
export interface Token {
  readonly word: string;
  /** Stands for every word that begins with it. */
  readonly prefix: boolean;
}

/** One word, or several that stand next to each other. */
export type Term = readonly Token[];

/** How several words are put together. */
export type Match = "and" | "or" | "phrase" | "prefix";

/** A search as it was understood. */
export interface Query {
  readonly terms: readonly Term[];
  /** Whether every term has to be found; else one will do. */
  readonly all: boolean;
}

/** Whether the text asks for the latest records instead of a search. Pure. */
export const asksForLatest = (q: string | undefined): boolean => q === undefined || /^\s*\*?\s*$/.test(q);

/**
 * Reads a search text; whatever it holds, it means something or nothing. Words stand alone, words in "quotation marks"
 * and parts of one word such as an address stand next to each other, and a word with a * at its end is a prefix. `match`
 * phrase takes everything for one phrase, prefix every word for a prefix. Pure.
 */
export function parseQuery(q: string, match: Match): Query {
  const terms =
    match === "phrase"
      ? [termOf(q.replaceAll('"', " "), q.trimEnd().endsWith("*"))]
      : [...q.matchAll(/"([^"]*)"?|[^\s"]+/gu)].map(([chunk, quoted]) =>
          termOf(quoted ?? chunk, match === "prefix" || (quoted === undefined && chunk.endsWith("*"))),
        );
  const distinct = new Map(
    terms.filter((term) => term.length > 0).map((term) => [JSON.stringify(term), term]),
  );
  return { terms: [...distinct.values()], all: match !== "or" };
}

function termOf(text: string, prefix: boolean): Term {
  const words = wordsOf(text, limits.wordChars);
  return words.map((word, at) => ({
    word,
    prefix: prefix && at === words.length - 1 && [...word].length >= limits.prefixChars,
  }));
}

/** How many words a search has. Pure. */
export const wordCount = ({ terms }: Query): number => terms.reduce((sum, term) => sum + term.length, 0);
