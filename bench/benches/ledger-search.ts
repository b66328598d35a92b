import { inputs } from "../../packages/server/src/features/memory/read/inputs.ts";
import { countWords } from "../../packages/server/src/features/memory/read/vocabulary.ts";
import { createReads } from "../../packages/server/src/features/memory/read/wire.ts";
import { newUuid } from "../../packages/server/src/kernel/ids.ts";
import type { BenchContext } from "../harness/bench.ts";
import { drawn, misspelt, randomFrom, recordFrom, vocabularyOf, zipf } from "./ledger-corpus.ts";
import type { LedgerStand } from "./ledger-stand.ts";

const RECORDS = 100_000;
const AT_ONCE = 1_000;
const VOCABULARY = 60_000;
const SEARCHES = 600;
const WARM_UP = 50;
const MOST_P95_MS = 50;
/** Of a hundred words, so many are among the commonest so many; the rest is any word. */
const COMMONNESS = [
  { share: 20, among: 50 },
  { share: 30, among: 1_000 },
  { share: 30, among: 10_000 },
];
const MISSPELT_SHARE = 0.15;
const OTHERWISE = ["or", "prefix", "phrase"] as const;
/** So many of a hundred searches are for any of the words, for beginnings, for a phrase; the others for every word. */
const OTHERWISE_SHARE = 0.08;

/** How long a search takes among many records: words of every commonness, misspelt ones too. */
export async function measureSearch(context: BenchContext, stand: LedgerStand): Promise<void> {
  const { database, platform } = stand;
  const organizationId = newUuid();
  await database.query("insert into ambit.organizations (id, name) values ($1, 'Searched')", [
    organizationId,
  ]);
  const random = randomFrom("memory search");
  const vocabulary = vocabularyOf(VOCABULARY, random);
  const place = zipf(VOCABULARY, random);
  const begun = performance.now();
  for (let at = 0; at < RECORDS; at += AT_ONCE) {
    const batch = Array.from({ length: AT_ONCE }, (_, n) =>
      recordFrom(at + n, () => vocabulary[place()]!, random),
    );
    await database.query(INSERT, [organizationId, JSON.stringify(batch)]);
  }
  while (await countWords(database));
  await database.query("vacuum analyze ambit.memory_search");
  context.note(`${RECORDS} records in ${((performance.now() - begun) / 1_000).toFixed(0)} s`);

  const ask = questions(vocabulary, random);
  const search = createReads(platform).searchMemory;
  const times: number[] = [];
  let empty = 0;
  for (let nth = -WARM_UP; nth < SEARCHES; nth += 1) {
    const question = ask();
    const start = performance.now();
    const answer = await search({ organizationId, scope: null }, inputs.searchMemory.parse(question));
    if (nth >= 0) times.push(performance.now() - start);
    if (nth >= 0 && (answer.results as unknown[]).length === 0) empty += 1;
  }
  times.sort((a, b) => a - b);
  const conditions =
    `${RECORDS} records of 6 to ${1_500} words from a vocabulary of ${VOCABULARY}, as unevenly common as in real text; ` +
    `${SEARCHES} searches of 1 to 3 words, 20 results each, one after the other, ${empty} of them without a result; ` +
    "a fifth of the words among the 50 commonest, 15 % misspelt; a quarter for any word, beginnings or phrases";
  const report = (what: string, share: number, target?: { of: "value"; bound: "≤"; number: number }) => {
    const value = times[Math.floor(share * times.length)]!;
    context.report(
      { measure: `ledger.search_${what}`, value, unit: "ms", target, conditions },
      stand.version,
    );
  };
  report("p50", 0.5);
  report("p95", 0.95, { of: "value", bound: "≤", number: MOST_P95_MS });
}

const INSERT = `insert into ambit.memory_records (organization_id, id, kind, title, body, data, action_id, created_by_action,
    created_at, updated_at)
  select $1, r.id, r.kind, r.title, r.body, '{}', 'act_bench', 'act_bench', t.at, t.at
  from jsonb_to_recordset($2::jsonb) as r(id text, kind text, title text, body text, nth int)
  cross join lateral (select timestamptz '2026-01-01' + r.nth * interval '1 minute' as at) t order by r.nth`;

/** Searches as people and agents write them, one after the other. */
function questions(
  vocabulary: readonly string[],
  random: () => number,
): () => { q: string; match: "and" | (typeof OTHERWISE)[number] } {
  const word = (): string => {
    const among = drawn(COMMONNESS, random)?.among ?? vocabulary.length;
    const meant = vocabulary[Math.floor(random() * among)]!;
    return random() < MISSPELT_SHARE ? misspelt(meant, random) : meant;
  };
  return () => {
    const words = Array.from({ length: 1 + Math.floor(random() * 3) }, word);
    const kind = Math.floor(random() / OTHERWISE_SHARE);
    return { q: words.join(" "), match: OTHERWISE[kind] ?? "and" };
  };
}
