import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { limits } from "./limits.ts";
import { afterLooking, sourcesFor } from "./sources.ts";
import { openStage, type Stage } from "./testing/stage.ts";
import type { Words } from "./words.ts";

/** More records than are looked through before the index is asked. */
const MANY = limits.recentRecords + 2_000;

let stage: Stage;
let oldTitle: string;
let oldRare: string;
let oldPhrase: string;

beforeAll(async () => {
  stage = await openStage();
  const old = (title: string, description: string) => stage.write("record_learning", { title, description });
  oldTitle = await old("Everywhere in a title", "nothing");
  oldRare = await old("Old", "everywhere with a needleword");
  oldPhrase = await old("Older", "everywhere commonplace side by side");
  await stage.platform.database.query(
    `insert into ambit.memory_records (organization_id, id, kind, title, body, data, source_app_id, action_id,
       created_by_action, created_at, updated_at)
     select $1, 'lrn_' || lpad(n::text, 26, '0'), 'learning', 'Record ' || n,
       'everywhere ' || case when n % 2 = 0 then 'and commonplace' else 'else commonplace too' end, '{}',
       case when n = 1 then 'app_first' end, 'act_many', 'act_many', $2::timestamptz + n * interval '1 second',
       $2::timestamptz + n * interval '1 second'
     from generate_series(1, $3::int) n`,
    [stage.organizationId, new Date(stage.now()).toISOString(), MANY],
  );
  await stage.count();
}, 120_000);
afterAll(() => stage?.stop());

const nth = (n: number) => `lrn_${String(n).padStart(26, "0")}`;

describe("a word that nearly every record has", () => {
  it("gives the newest, after those that have it in their title, however old", async () => {
    const found = await stage.found("everywhere", { limit: 5 });
    expect(found).toEqual([oldTitle, nth(MANY), nth(MANY - 1), nth(MANY - 2), nth(MANY - 3)]);
  });

  it("with a rare one, or within a span of time, gives the old ones too", async () => {
    expect(await stage.found("everywhere needleword")).toEqual([oldRare]);
    expect((await stage.found("everywhere needleword", { match: "or" }))[0]).toBe(oldRare);
    const { updated_at } = await stage.read("getRecord", { record_id: oldPhrase });
    const to = new Date(Date.parse(updated_at) + 1).toISOString();
    expect((await stage.found("everywhere", { to })).sort()).toEqual([oldTitle, oldRare, oldPhrase].sort());
  });

  it("next to another such word is found where it stands so, even when that is old", async () => {
    expect(await stage.found("everywhere commonplace", { match: "phrase" })).toEqual([oldPhrase]);
    expect(await stage.found("everywhere commonplace", { limit: 1 })).toEqual([nth(MANY)]);
  });

  it("misspelt gives the same records", async () => {
    const { results, corrections } = await stage.read("searchMemory", { q: "everywhera", limit: 2 });
    expect(results.map(({ id }: { id: string }) => id)).toEqual([oldTitle, nth(MANY)]);
    expect(corrections).toEqual({ everywhera: ["everywhere"] });
  });

  it("is not looked for among what a reader may not see", async () => {
    const own = stage.scoped({ appId: "app_first", ownOnly: true });
    expect(await stage.found("everywhere", {}, own)).toEqual([nth(1)]);
    expect(await stage.found("everywhere", { app_id: "app_first" })).toEqual([nth(1)]);
  });

  it("in a list narrowed by it, is found in every record", async () => {
    await stage.platform.database.query(
      `insert into ambit.memory_records (organization_id, id, kind, subtype, title, body, data, action_id,
         created_by_action, created_at, updated_at)
       select organization_id, 'ent_' || substr(id, 5), 'entity', 'company', title, body, '{}', action_id,
         created_by_action, created_at, updated_at
       from ambit.memory_records where organization_id = $1 and id in ($2, $3, $4)`,
      [stage.organizationId, nth(1), nth(2), nth(3)],
    );
    const { entities, total } = await stage.read("findEntities", { q: "every", count: true });
    expect(entities.map(({ id }: { id: string }) => id.slice(4))).toEqual(
      [3, 2, 1].map((n) => nth(n).slice(4)),
    );
    expect(total).toBe(3);
  });
});

describe("where candidates are looked for", () => {
  const words = (documents: number, titles: number, terms = 1): Words => ({
    query: { terms: Array.from({ length: terms }, () => [{ word: "a", prefix: false }]), all: true },
    alternatives: new Map(),
    counts: new Map([["a", { documents, titles }]]),
  });
  const plain = { wanted: [] };

  const looked = (of: Words, filter: Parameters<typeof sourcesFor>[1] = plain) =>
    sourcesFor(of, filter).map(({ throughNewest }) => throughNewest);

  it("among the newest when many have the words, by the index when few have", () => {
    const common = limits.commonRecords;
    expect(looked(words(common, 0))).toEqual([true, false]);
    expect(looked(words(common, common))).toEqual([true, true]);
    expect(looked(words(common - 1, 0))).toEqual([false, false]);
    expect(looked(words(common, common), { wanted: [], about: { id: "ent_1", field: null } })).toEqual([
      false,
      false,
    ]);
    const counts = new Map([["b", { documents: common, titles: 0 }]]);
    const corrected = { ...words(0, 0), alternatives: new Map([["a", ["b"]]]), counts };
    expect(looked(corrected)).toEqual([true, false, false]);
  });

  it("for rare words of which any will do, besides the common ones", () => {
    const counts = new Map([
      ["a", { documents: limits.commonRecords, titles: 0 }],
      ["b", { documents: 5, titles: 0 }],
    ]);
    const terms = ["a", "b"].map((word) => [{ word, prefix: false }]);
    const any = { query: { terms, all: false }, alternatives: new Map(), counts };
    const sources = sourcesFor(any, plain);
    expect(sources.map(({ throughNewest }) => throughNewest)).toEqual([true, false, false]);
    expect(sources[2]!.query.terms).toEqual([terms[1]]);
    expect(sourcesFor({ ...any, query: { terms, all: true } }, plain)).toHaveLength(2);
  });

  it("by the index after all when too few were among the newest, but for phrases that fill the page", () => {
    const order = (terms: number) => {
      const query = {
        terms: [Array.from({ length: terms }, () => ({ word: "a", prefix: false }))],
        all: true,
      };
      const source = { query, alternatives: new Map(), inTitles: false, throughNewest: true };
      return { query, sources: [source, source], limit: 21 };
    };
    const again = (terms: number, tally: number[], rows: number, guessed = false) =>
      afterLooking(order(terms), tally, rows, guessed)?.map(({ throughNewest }) => throughNewest) ?? null;
    const enough = limits.candidates;
    expect(again(1, [enough, enough], 21)).toBeNull();
    expect(again(1, [enough - 1, 0], 21)).toEqual([false, true]);
    expect(again(1, [enough, enough - 1], 21)).toEqual([true, false]);
    expect(again(2, [enough - 1, 0], 21)).toBeNull();
    expect(again(2, [enough - 1, 0], 20)).toEqual([false, true]);
    expect(again(2, [enough - 1, 0], 20, true)).toBeNull();
    expect(again(1, [enough - 1, 0], 20, true)).toEqual([false, true]);
  });
});
