import type { Platform } from "../../../engines/platform.ts";
import type { Queryable } from "../../../engines/postgres/database.ts";
import type { MemoryReader, MemoryRecord } from "../types.ts";
import { decodeCursor, encodeCursor } from "./cursor.ts";
import { memoryReadErrors } from "./errors.ts";
import { type MemoryFilter, visibleKinds } from "./filter.ts";
import { limits } from "./limits.ts";
import { listRecords } from "./listing.ts";
import { asksForLatest, type Match, parseQuery, type Query, wordCount } from "./query.ts";
import { type RecordRow, recordOf } from "./rows.ts";
import { type RankedPlace, type SearchOrder, searchStatement } from "./search-statement.ts";
import { afterLooking, sourcesFor } from "./sources.ts";
import type { Alternatives } from "./tsquery.ts";
import { lookUp, type Words, widen, wordsSought } from "./words.ts";

/** A record that was found. */
export interface Found {
  readonly record: MemoryRecord;
  /** 0 to 1; null when nothing was searched for. */
  readonly rank: number | null;
}

export interface SearchAnswer {
  readonly found: readonly Found[];
  readonly nextCursor: string | null;
  /** Words that were taken for misspelt → the words found in their place. */
  readonly corrections: Readonly<Record<string, readonly string[]>>;
  /** Words that were looked for, as the index has them; one that ends in * stands for all that begin with it. */
  readonly words: readonly string[];
}

export interface SearchRequest {
  readonly q?: string | undefined;
  readonly match: Match;
  readonly filter: MemoryFilter;
  readonly limit: number;
  readonly cursor?: string | undefined;
}

/** Reads the text as it was typed; throws MEMORY_QUERY_TOO_LONG. */
export function readQuery({ metrics }: Pick<Platform, "metrics">, q: string, match: Match): Query {
  const query = q.length > limits.queryChars ? null : parseQuery(q, match);
  if (query !== null && wordCount(query) <= limits.queryWords) return query;
  metrics.limitsHit.inc({ limit: query === null ? "memory_query_chars" : "memory_query_words" });
  throw memoryReadErrors.MEMORY_QUERY_TOO_LONG({
    details: { characters: q.length, ...(query === null ? {} : { words: wordCount(query) }) },
  });
}

/** Searches the memory; an empty text, or *, gives the latest records. */
export async function searchMemory(
  platform: Pick<Platform, "database" | "metrics">,
  reader: MemoryReader,
  request: SearchRequest,
): Promise<SearchAnswer> {
  const { q, limit, cursor } = request;
  const filter = { ...request.filter, wanted: visibleKinds(reader, request.filter.wanted) };
  if (q === undefined || asksForLatest(q)) {
    const page = await listRecords(platform.database, reader, filter, { limit, before: cursor });
    const found = page.records.map((record) => ({ record, rank: null }));
    return { found, nextCursor: page.nextBefore, corrections: {}, words: [] };
  }
  const query = readQuery(platform, q, request.match);
  const place = placeOf(cursor);
  if (query.terms.length === 0 || filter.wanted.length === 0) return NOTHING;
  const { database } = platform;
  const words = await lookUp(database, reader.organizationId, query);
  const search = (which: Words, widened: boolean) =>
    runSearch(database, reader, { filter, limit }, which, place, widened);
  const first = await search(words, false);
  if (!(place === null ? first.found.length === 0 : place.widened)) return first;
  // Common in the organisation, but not where this reader may look, or not together with the other words.
  const wider = await widen(database, reader.organizationId, words);
  return wider === null ? first : search(wider, true);
}

const NOTHING: SearchAnswer = { found: [], nextCursor: null, corrections: {}, words: [] };

type SearchRow = RecordRow & { readonly rank: number; readonly found: readonly string[] };

async function runSearch(
  db: Queryable,
  reader: MemoryReader,
  { filter, limit }: Pick<SearchRequest, "filter" | "limit">,
  words: Words,
  place: Place | null,
  widened: boolean,
): Promise<SearchAnswer> {
  const { query, alternatives } = words;
  const sources = sourcesFor(words, filter);
  const order: SearchOrder = { reader, filter, query, alternatives, sources, after: place, limit: limit + 1 };
  let { rows, tally } = await send(db, order);
  const better = afterLooking(order, tally, rows.length, widened);
  if (better !== null) ({ rows, tally } = await send(db, { ...order, sources: better }));
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  const more = last !== undefined && rows.length > limit;
  return {
    found: page.map((row) => ({ record: recordOf(row), rank: row.rank })),
    nextCursor: more
      ? encodeCursor([last.rank, last.updated_at.toISOString(), last.id, widened ? 1 : 0])
      : null,
    corrections: correctionsIn(alternatives, page),
    words: wordsSought(words),
  };
}

async function send(db: Queryable, order: SearchOrder): Promise<{ rows: SearchRow[]; tally: number[] }> {
  const { text, values } = searchStatement(order);
  const rows = await db.query<(SearchRow | { id: null }) & { tally: number[] }>(text, values);
  return { rows: rows.filter((row) => row.id !== null) as SearchRow[], tally: rows[0]!.tally };
}

/**
 * The corrections that led to what is shown. No others are told: a word of the organisation may stand in nothing this
 * reader may see.
 */
function correctionsIn(alternatives: Alternatives, rows: readonly SearchRow[]): Record<string, string[]> {
  const found = new Set(rows.flatMap((row) => row.found));
  const corrections = [...alternatives].map(
    ([word, others]) => [word, others.filter((other) => found.has(other))] as const,
  );
  return Object.fromEntries(corrections.filter(([, others]) => others.length > 0));
}

interface Place extends RankedPlace {
  readonly widened: boolean;
}

function placeOf(cursor: string | undefined): Place | null {
  if (cursor === undefined) return null;
  const [rank, at, id, widened] = decodeCursor(cursor, ["number", "time", "string", "number"]);
  return { rank: Number(rank), at: String(at), id: String(id), widened: widened === 1 };
}
