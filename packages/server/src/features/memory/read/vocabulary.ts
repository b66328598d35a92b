import type { Database, Queryable, Transaction } from "../../../engines/postgres/database.ts";
import { limits } from "./limits.ts";
import { type KnownWord, nearest, oneSlipAway } from "./near-words.ts";

/** How many records have a word, or words that begin so, and how many have it in their title. */
export interface Count {
  readonly documents: number;
  readonly titles: number;
}

/** The organisation's count of each of the words; words of no record are missing. */
export async function countsOf(
  db: Queryable,
  organizationId: string,
  words: readonly string[],
): Promise<Map<string, Count>> {
  if (words.length === 0) return new Map();
  const rows = await selectWords(db, organizationId, words);
  return new Map(rows.map((row) => [row.word, row]));
}

function selectWords(db: Queryable, organizationId: string, words: readonly string[]): Promise<KnownWord[]> {
  return db.query(
    "select word, documents, titles from ambit.memory_words where organization_id = $1 and word = any($2::text[])",
    [organizationId, words],
  );
}

/** The sum of the counts of words that begin so. */
export async function countOfPrefix(db: Queryable, organizationId: string, prefix: string): Promise<Count> {
  const [row] = await db.query<Count>(
    `select coalesce(sum(documents), 0)::float8 as documents, coalesce(sum(titles), 0)::float8 as titles from (
       select documents, titles from ambit.memory_words
       where organization_id = $1 and word >= $2 and word < $3 limit $4) w`,
    [organizationId, prefix, prefix + LAST, limits.comparedWords],
  );
  return row!;
}

/** Sorts after every character. */
const LAST = "\u{10ffff}";

/** How many slips a word of this length is forgiven. Pure. */
export function slipsForgiven(word: string): number {
  const { length } = [...word];
  // One digit wrong is another number.
  if (length < limits.correctableChars || length > limits.correctableMostChars || /\p{N}/u.test(word))
    return 0;
  return length < limits.twoErrorsChars ? 1 : 2;
}

/** What each of the words can have been meant to be, likeliest first; words without such a word are missing. */
export async function alternativesTo(
  db: Queryable,
  organizationId: string,
  words: readonly string[],
): Promise<Map<string, KnownWord[]>> {
  const open = words.filter((word) => slipsForgiven(word) > 0).slice(0, limits.correctedWords);
  if (open.length === 0) return new Map();
  const slips = new Map(open.map((word) => [word, oneSlipAway(word)]));
  const known = await selectWords(db, organizationId, [
    ...new Set([...slips.values()].flatMap((set) => [...set])),
  ]);
  const found = new Map<string, KnownWord[]>();
  for (const word of open) {
    const near = known.filter((each) => slips.get(word)!.has(each.word));
    const candidates =
      near.length === 0 && slipsForgiven(word) > 1 ? await likeWords(db, organizationId, word) : near;
    const chosen = nearest(word, candidates, slipsForgiven(word), limits.alternatives);
    if (chosen.length > 0) found.set(word, chosen);
  }
  return found;
}

/** Known words of about the same length that begin, or end, with the same letters. */
function likeWords(db: Queryable, organizationId: string, word: string): Promise<KnownWord[]> {
  const chars = [...word];
  const first = chars.slice(0, 3).join("");
  const last = chars.slice(-3).reverse().join("");
  return db.query(
    `(select word, documents, titles from ambit.memory_words
      where organization_id = $1 and word >= $2 and word < $3 and length(word) between $6 and $7 limit $8)
     union
     (select word, documents, titles from ambit.memory_words
      where organization_id = $1 and reverse(word) collate "C" >= $4 and reverse(word) collate "C" < $5
        and length(word) between $6 and $7 limit $8)`,
    [
      organizationId,
      first,
      first + LAST,
      last,
      last + LAST,
      chars.length - 2,
      chars.length + 2,
      limits.comparedWords,
    ],
  );
}

/** Whichever node counts; the others leave it to that one. Any constant will do. */
const COUNTING_LOCK = 4_207_310_511;

/** Counts the words of what was written since. Returns whether there may be more to count. */
export function countWords(database: Database): Promise<boolean> {
  return database.transaction(async (tx) => {
    const [lock] = await tx.query<{ mine: boolean }>("select pg_try_advisory_xact_lock($1) as mine", [
      COUNTING_LOCK,
    ]);
    return lock!.mine && (await countBatch(tx)) === limits.countedRecords;
  });
}

async function countBatch(tx: Transaction): Promise<number> {
  const rows = await tx.query<{ taken: number; organization_id: string | null; word: string | null }>(
    `with batch as (
       delete from ambit.memory_words_pending
       where id in (select id from ambit.memory_words_pending order by id limit $1)
       returning organization_id, added, removed
     ), changes as (
       select organization_id, unnest(tsvector_to_array(added)) as lexeme, 1 as n from batch
       union all select organization_id, unnest(tsvector_to_array(removed)), -1 from batch
     ), sums as (
       select organization_id, regexp_replace(lexeme, '^/t/', '') as word, lexeme ~ '^/' as in_title, sum(n)::int as n from changes
       where lexeme ~ '^(/t/|[^/])'
       group by organization_id, lexeme having sum(n) <> 0
     ), words as (
       select organization_id, word, coalesce(sum(n) filter (where not in_title), 0) as documents,
         coalesce(sum(n) filter (where in_title), 0) as titles
       from sums
       -- Numbers and ids are looked up as they are; only short ones can be common.
       where length(word) <= 4 or length(word) <= $2 and word !~ '[0-9]'
       group by organization_id, word
     ), counted as (
       insert into ambit.memory_words as w (organization_id, word, documents, titles)
       select organization_id, word, documents, titles from words
       on conflict (organization_id, word) do update
       set documents = w.documents + excluded.documents, titles = w.titles + excluded.titles
       returning organization_id, word, documents
     )
     select (select count(*)::int from batch) as taken, c.organization_id, c.word
     from (select 1) as one left join counted c on c.documents <= 0`,
    [limits.countedRecords, limits.correctableMostChars],
  );
  const gone = rows.filter((row) => row.word !== null);
  if (gone.length > 0) {
    await tx.query(
      `delete from ambit.memory_words w using unnest($1::uuid[], $2::text[]) as gone (organization_id, word)
       where w.organization_id = gone.organization_id and w.word = gone.word and w.documents <= 0`,
      [gone.map((row) => row.organization_id), gone.map((row) => row.word)],
    );
  }
  return rows[0]!.taken;
}
