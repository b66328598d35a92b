import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { parseFilter } from "./parse.ts";
import { type FilterWorld, filterWorld } from "./testing/world.ts";
import type { FilterTable, RowFilter } from "./types.ts";

let world: FilterWorld;
let table: FilterTable;
beforeAll(async () => {
  world = await filterWorld();
  await world.owner("create type mood as enum ('fine', 'bad')");
  await world.owner(`create table "No""tes" (id int primary key, "it's" text, m mood, doc json, n numeric)`);
  table = await world.table('No"tes');
});
afterAll(() => world?.test.stop());
beforeEach(() => {
  world.problems.length = 0;
});

const filter = (input: unknown) => parseFilter(input, table) as RowFilter;
const view = () => ({ table: table.name, columnTypes: table.columns });
const judge = (inputs: readonly unknown[], rows: (string | null)[][]) =>
  world.judge.judge(world.appId, view(), inputs.map(filter), rows);

describe("SqlFilterJudge", () => {
  it("answers every filter for every row in order, in one call", async () => {
    const rows = Array.from({ length: 2_000 }, (_, n) => [
      String(n),
      n % 3 === 0 ? null : `t${n % 5}`,
      null,
      null,
      null,
    ]);
    const [first, second, third] = await judge(["id=lt.1000&n=is.null", "it's=ilike.T1", ""], rows);
    expect(first).toEqual(rows.map((_row, n) => n < 1000));
    expect(second).toEqual(rows.map((_row, n) => n % 3 !== 0 && n % 5 === 1));
    expect(third).toEqual(rows.map(() => true));
    expect(await judge(["id=eq.1"], [])).toEqual([[]]);
    expect(await judge([], rows)).toEqual([]);
  });

  it("lets a filter fail alone, on a bad row or by itself", async () => {
    const rows = [
      ["1", "x", "fine", '{"k": "\\u0000"}', null],
      ["2", "y", "bad", "{}", null],
    ];
    const inputs = ["id=eq.1", "doc->>k=eq.a", "m=eq.nope", "n=eq.many", "it's=eq.y"];
    expect(await judge(inputs, rows)).toEqual([
      [true, false],
      [null, null],
      [null, null],
      [null, null],
      [false, true],
    ]);
    expect(world.problems.sort()).toEqual(["22P02", "22P02", "22P05"]);
    const [gone] = await judge(["m=eq.fine"], [["1", null, "renamed", null, null]]);
    expect(gone).toEqual([null]);
  });

  it("takes hostile values as values", async () => {
    const hostile = [
      "'; drop table notes; --",
      "') or true --",
      "\\'; select 1; --",
      "\\",
      "''",
      "$1",
      "$$x$$",
      '"',
      "{}",
      "/* x */",
      "\u{1f600}\n\t\u0001",
      "%s %I",
    ];
    const rows = [...hostile, "x"].map((text, at) => [String(at), text, null, null, null]);
    const only = (at: number) => rows.map((_row, place) => place === at);
    const forms: ((text: string) => unknown)[] = [
      (text: string) => `it's=eq.${encodeURIComponent(text)}`,
      (text: string) => `it's=in.(${encodeURIComponent(`"${text.replaceAll(/["\\]/g, "\\$&")}"`)})`,
      (text: string) => ({ "it's": { op: "eq", value: text } }),
      (text: string) => ({ "it's": text }),
    ];
    for (const form of forms) {
      const verdicts = await judge(hostile.map(form), rows);
      for (const [at, verdict] of verdicts.entries()) expect(verdict, hostile[at]!).toEqual(only(at));
    }
    const path = await judge(
      hostile.map((text) => ({ [`doc->>${JSON.stringify(text)}`]: { op: "eq", value: "v" } })),
      [
        [
          "1",
          null,
          null,
          JSON.stringify(Object.fromEntries(hostile.slice(0, 3).map((text) => [text, "v"]))),
          null,
        ],
      ],
    );
    expect(path.map(([verdict]) => verdict)).toEqual(hostile.map((_text, at) => at < 3));
    expect(world.problems).toEqual([]);
    expect(
      (await world.owner("select count(*)::int as n from pg_class where relname = 'No\"tes'"))[0]!.n,
    ).toBe(1);
  });

  it("runs with the rights of the data plane, on no table", async () => {
    const who: RowFilter = {
      ...filter("id=eq.1"),
      condition: "current_user like '%\\_user' and current_user_id() is null",
    };
    const reads: RowFilter = { ...filter("id=eq.1"), condition: "exists (select from ambit.apps)" };
    const rows = [["1", null, null, null, null]];
    expect(await world.judge.judge(world.appId, view(), [who, reads], rows)).toEqual([[true], [null]]);
    expect(world.problems).toEqual(["42501"]);
  });

  it("gives up what takes too long and answers the others", async () => {
    const slow: RowFilter = {
      ...filter("id=eq.1"),
      condition: `(select true from pg_sleep("No""tes".id))`,
      key: "slow",
    };
    const quick = ["id=eq.0", "id=eq.9"].map(filter);
    const rows = [
      ["0", null, null, null, null],
      ["9", null, null, null, null],
    ];
    const verdicts = await world.judge.judge(world.appId, view(), [quick[0]!, slow, quick[1]!], rows);
    expect(verdicts).toEqual([
      [true, false],
      [true, null],
      [false, true],
    ]);
    expect(world.problems).toEqual(["57014"]);
  });

  it("tells beforehand which filters Postgres refuses, in the data API's words", async () => {
    const problem = (input: unknown) => world.judge.problem(world.appId, view(), filter(input));
    for (const fine of ["id=eq.1", "m=eq.fine", { "it's": "x" }, { n: 1 }, "", "doc->>k=eq.a"])
      expect(await problem(fine)).toBeNull();
    const target = {
      appId: world.appId,
      identity: { role: "service" as const, claims: null },
      table: table.name,
    };
    for (const bad of ["id=eq.x", "m=eq.nope", "id=like.1", "n=cs.{1}", "it's=is.true", "doc=eq.{}"]) {
      const told = await world.data.list(target, bad, { count: false, cursor: false }).then(
        () => "no error",
        (error: Error) => error.message,
      );
      expect(await problem(bad), bad).toBe(told);
    }
  });
});
