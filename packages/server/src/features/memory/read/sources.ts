import type { MemoryFilter } from "./filter.ts";
import { limits } from "./limits.ts";
import type { Query } from "./query.ts";
import type { SearchOrder, Source } from "./search-statement.ts";
import { type Alternatives, NO_ALTERNATIVES } from "./tsquery.ts";
import { rarestTerms, recordsFound, type Words } from "./words.ts";

/**
 * Where to look for candidates: for everything there is, and, should that be too much to rank, for what ranks highest:
 * the words in titles, the words as they were typed, and the rare ones of words of which any will do. What many records
 * have is looked for among the newest; what refers to one record is few. Pure.
 */
export function sourcesFor(words: Words, { about, asOf }: MemoryFilter): Source[] {
  const byIndex = about !== undefined || asOf != null;
  const source = (query: Query, alternatives: Alternatives, inTitles: boolean): Source => {
    const records = recordsFound({ ...words, query }, alternatives, inTitles ? "titles" : "documents");
    return { query, alternatives, inTitles, throughNewest: !byIndex && records >= limits.commonRecords };
  };
  const { query, alternatives } = words;
  const sources = [source(query, alternatives, false), source(query, alternatives, true)];
  if (alternatives.size > 0) sources.push(source(query, NO_ALTERNATIVES, false));
  const rare = query.all ? [] : rarestTerms(words, limits.commonRecords);
  if (rare.length > 0 && rare.length < query.terms.length)
    sources.push(source({ terms: rare, all: false }, alternatives, false));
  return sources;
}

/**
 * The sources to ask the index for after all, as too little was among the newest; null when all is well. Then they are
 * few and the index is quick, but for phrases: those it finds only by reading every record that has the words, which is
 * not worth it for more than the page, nor for words nobody typed (`guessed`). Pure.
 */
export function afterLooking(
  { sources, query, limit }: Pick<SearchOrder, "sources" | "query" | "limit">,
  tally: readonly number[],
  rows: number,
  guessed: boolean,
): Source[] | null {
  const phrase = query.terms.some((term) => term.length > 1);
  // The others are asked only when the first gives more than can be ranked.
  const isShort = (at: number) =>
    tally[at]! < limits.candidates && (at === 0 || tally[0]! >= limits.candidates);
  const again = sources.map(
    ({ throughNewest }, at) => throughNewest && isShort(at) && !(phrase && (guessed || rows >= limit)),
  );
  if (!again.includes(true)) return null;
  return sources.map((source, at) => (again[at] ? { ...source, throughNewest: false } : source));
}
