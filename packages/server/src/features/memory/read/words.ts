import type { Queryable } from "../../../engines/postgres/database.ts";
import { limits } from "./limits.ts";
import type { Query, Term, Token } from "./query.ts";
import type { Alternatives } from "./tsquery.ts";
import { alternativesTo, type Count, countOfPrefix, countsOf } from "./vocabulary.ts";

/** What the organisation's vocabulary says about a query. */
export interface Words {
  readonly query: Query;
  /** Words of which hardly any record has one → what it can have been meant to be. */
  readonly alternatives: Alternatives;
  /** How many records have a word, by `keyOf` the word or prefix. */
  readonly counts: ReadonlyMap<string, Count>;
}

const keyOf = ({ word, prefix }: Token): string => (prefix ? `${word}*` : word);

/** How common the words of a query are. */
export async function countQuery(
  db: Queryable,
  organizationId: string,
  query: Query,
): Promise<Map<string, Count>> {
  const tokens = distinctTokens(query);
  const plain = tokens.filter((token) => !token.prefix).map(({ word }) => word);
  const counts = await countsOf(db, organizationId, plain);
  for (const token of tokens) {
    if (token.prefix) counts.set(keyOf(token), await countOfPrefix(db, organizationId, token.word));
  }
  return counts;
}

const distinctTokens = ({ terms }: Query): Token[] => [
  ...new Map(terms.flat().map((token) => [keyOf(token), token])).values(),
];

/** Looks the words of a query up, and what those that are rare can have been meant to be. */
export async function lookUp(db: Queryable, organizationId: string, query: Query): Promise<Words> {
  const counts = await countQuery(db, organizationId, query);
  const isRare = (token: Token) => (counts.get(keyOf(token))?.documents ?? 0) < limits.fewRecords;
  const rare = distinctTokens(query).filter(isRare);
  return withAlternatives(db, organizationId, { query, counts, alternatives: new Map() }, rare);
}

/** The same with alternatives to every word that has none yet; null when there are none. */
export async function widen(db: Queryable, organizationId: string, words: Words): Promise<Words | null> {
  const open = words.query.terms
    .flat()
    .filter(({ word, prefix }) => !prefix && !words.alternatives.has(word));
  const wider = await withAlternatives(db, organizationId, words, open);
  return wider.alternatives.size > words.alternatives.size ? wider : null;
}

async function withAlternatives(
  db: Queryable,
  organizationId: string,
  words: Words,
  tokens: readonly Token[],
): Promise<Words> {
  const found = await alternativesTo(db, organizationId, [...new Set(tokens.map(({ word }) => word))]);
  if (found.size === 0) return words;
  const known = [...found.values()].flat();
  return {
    query: words.query,
    counts: new Map([...known.map((each) => [each.word, each] as const), ...words.counts]),
    alternatives: new Map([
      ...words.alternatives,
      ...[...found].map(([word, others]) => [word, others.map((other) => other.word)] as const),
    ]),
  };
}

/**
 * About how many records a query finds, at most: as many as have its rarest term when all are needed, else as many as
 * have any. Pure.
 */
export function recordsFound(
  { query, counts }: Pick<Words, "query" | "counts">,
  alternatives: Alternatives,
  where: keyof Count,
): number {
  const ofTerms = query.terms.map((term) => recordsOfTerm(term, counts, alternatives, where));
  return query.all ? Math.min(...ofTerms) : ofTerms.reduce((sum, each) => sum + each, 0);
}

function recordsOfTerm(
  term: Term,
  counts: Words["counts"],
  alternatives: Alternatives,
  where: keyof Count,
): number {
  const ofWords = term.map((token) => {
    const keys = [keyOf(token), ...(alternatives.get(token.word) ?? [])];
    return keys.reduce((sum, key) => sum + (counts.get(key)?.[where] ?? 0), 0);
  });
  return Math.min(...ofWords);
}

/** The rarest terms of a query, as long as they together find fewer than `most` records. Pure. */
export function rarestTerms({ query, counts, alternatives }: Words, most: number): Term[] {
  const rarest = query.terms
    .map((term) => ({ term, records: recordsOfTerm(term, counts, alternatives, "documents") }))
    .sort((a, b) => a.records - b.records);
  const chosen: Term[] = [];
  let sum = 0;
  for (const { term, records } of rarest) {
    sum += records;
    if (sum >= most) break;
    chosen.push(term);
  }
  return chosen;
}

/** The words that were looked for, as the index has them; one that ends in * stands for all that begin with it. Pure. */
export const wordsSought = ({ query, alternatives }: Words): string[] => [
  ...new Set([...query.terms.flat().map(keyOf), ...[...alternatives.values()].flat()]),
];
