import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { wordsOf } from "./fold.ts";
import { limits } from "./limits.ts";
import { openStage, type Stage } from "./testing/stage.ts";
import { happen, randomFrom } from "./testing/world.ts";
import { countOfPrefix, countsOf, countWords } from "./vocabulary.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
});
afterAll(() => stage?.stop());

/** In how many records, and titles, each word stands; by reading all of them. */
async function truth() {
  const rows = await stage.platform.database.query<{ title: string; body: string }>(
    "select title, body from ambit.memory_records where organization_id = $1",
    [stage.organizationId],
  );
  const counts: Record<string, [number, number]> = {};
  for (const { title, body } of rows) {
    const titleWords = new Set(wordsOf(title, limits.wordChars));
    for (const word of new Set([...titleWords, ...wordsOf(body, limits.wordChars)])) {
      const kept = word.length <= 4 || (word.length <= limits.correctableMostChars && !/[0-9]/.test(word));
      if (!kept) continue;
      const [documents, titles] = counts[word] ?? [0, 0];
      counts[word] = [documents + 1, titles + (titleWords.has(word) ? 1 : 0)];
    }
  }
  return counts;
}

async function counted() {
  const rows = await stage.platform.database.query<{ word: string; documents: number; titles: number }>(
    "select word, documents, titles from ambit.memory_words where organization_id = $1",
    [stage.organizationId],
  );
  return Object.fromEntries(rows.map(({ word, documents, titles }) => [word, [documents, titles]]));
}

describe("the words that are counted", () => {
  it("are those that stand in the records, as often as they do, after whatever was written, changed, deleted", async () => {
    for (const seed of [1, 2, 3]) {
      await happen(stage, randomFrom(seed), 60);
      await stage.count();
      expect(await counted()).toEqual(await truth());
    }
    expect(Object.keys(await counted()).length).toBeGreaterThan(5);
  });

  it("are counted once, however many count at the same time", async () => {
    await happen(stage, randomFrom(9), 80);
    await Promise.all(Array.from({ length: 6 }, () => countWords(stage.platform.database)));
    await stage.count();
    expect(await counted()).toEqual(await truth());
  });

  it("a word that stands nowhere any more is gone", async () => {
    const id = await stage.write("upsert_entity", { type: "person", display_name: "Zyxwvut" });
    await stage.count();
    expect(await countsOf(stage.platform.database, stage.organizationId, ["zyxwvut"])).toEqual(
      new Map([["zyxwvut", { word: "zyxwvut", documents: 1, titles: 1 }]]),
    );
    await stage.write("patch_entity", { id, display_name: "Other" });
    await stage.count();
    expect(await countsOf(stage.platform.database, stage.organizationId, ["zyxwvut"])).toEqual(new Map());
  });

  it("an organisation's words go with it", async () => {
    const { database } = stage.platform;
    const gone = "99999999-0000-4000-8000-000000000001";
    await database.query("insert into ambit.organizations (id, name) values ($1, 'Gone')", [gone]);
    await database.query(
      `insert into ambit.memory_records (organization_id, id, kind, title, data, action_id, created_by_action, created_at,
         updated_at) values ($1, 'lrn_1', 'learning', 'leaving', '{}', 'act_1', 'act_1', now(), now())`,
      [gone],
    );
    await stage.count();
    expect((await countsOf(database, gone, ["leaving"])).size).toBe(1);
    await database.query("delete from ambit.organizations where id = $1", [gone]);
    await stage.count();
    expect((await countsOf(database, gone, ["leaving"])).size).toBe(0);
    const [left] = await database.query(
      "select (select count(*) from ambit.memory_search where organization_id = $1)::int as rows",
      [gone],
    );
    expect(left).toEqual({ rows: 0 });
  });

  it("prefixes add up", async () => {
    for (const word of ["quxaa", "quxab", "quxb"])
      await stage.write("record_learning", { title: word, description: "quxaa" });
    await stage.count();
    const { database } = stage.platform;
    expect(await countOfPrefix(database, stage.organizationId, "quxa")).toEqual({ documents: 4, titles: 2 });
    expect(await countOfPrefix(database, stage.organizationId, "nothing")).toEqual({
      documents: 0,
      titles: 0,
    });
  });
});
