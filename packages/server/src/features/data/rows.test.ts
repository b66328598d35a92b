import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { exactJson } from "./exact-json.ts";
import { limits } from "./limits.ts";
import { nearestNames } from "./nearest.ts";
import { parsePrefer } from "./prefer.ts";
import { readChange, readInsert } from "./rows.ts";
import { toJsonValue } from "./sql-values.ts";

describe("readInsert", () => {
  it("groups rows by their columns, whatever the order of the keys, and knows each one's place", () => {
    const body = `[{"a":1,"b":2},{"b":4,"a":3},{"a":12345678901234567890},{"a":5,"b":6}]`;
    const read = readInsert(body);
    expect(read).toMatchObject({ single: false, count: 4, places: [0, 1, 3, 2] });
    expect(read.groups.map(({ json }) => json)).toEqual([
      '[{"a":1,"b":2},{"b":4,"a":3},{"a":5,"b":6}]',
      '[{"a":12345678901234567890}]',
    ]);
  });

  it("loses no row and no place", () => {
    const row = fc.dictionary(fc.constantFrom("a", "b", "c", "__proto__"), fc.integer(), { maxKeys: 3 });
    fc.assert(
      fc.property(fc.array(row, { maxLength: 20 }), (rows) => {
        const read = readInsert(JSON.stringify(rows));
        const grouped = read.groups.flatMap(({ json }) => JSON.parse(json));
        const placed: unknown[] = [];
        for (const [index, place] of read.places.entries()) placed[place] = grouped[index];
        expect(JSON.stringify(placed)).toBe(JSON.stringify(rows));
      }),
    );
  });

  it("bounds rows and shapes", () => {
    const many = (count: number, shape: (n: number) => object) =>
      JSON.stringify(Array.from({ length: count }, (_, n) => shape(n)));
    expect(() => readInsert(many(limits.insertRows + 1, () => ({})))).toThrow(/at most/);
    expect(() => readInsert(many(limits.insertShapes + 1, (n) => ({ [`c${n}`]: 1 })))).toThrow(
      /different sets/,
    );
    expect(readInsert(many(limits.insertShapes, (n) => ({ [`c${n}`]: 1 }))).groups).toHaveLength(
      limits.insertShapes,
    );
  });

  it.each(["[[1]]", "1", "null", "[null]"])("refuses %s", (body) => {
    expect(() => readInsert(body)).toThrow(/neither a row/);
    expect(() => readChange(body)).toThrow(/neither a row/);
  });
});

describe("small things", () => {
  it("keeps every digit of a number through parse and stringify", () => {
    const numbers = [
      "1",
      "-7",
      "12345678901234567890",
      "0.12345678901234567890",
      "1e400",
      "9007199254740993",
      "0.1",
    ];
    for (const text of numbers) expect(JSON.stringify(exactJson(`{"n":[${text}]}`))).toBe(`{"n":[${text}]}`);
    expect(exactJson("1.50")).toBe(1.5);
  });

  it.each<[string | null, number, unknown]>([
    [null, 23, null],
    ["t", 16, true],
    ["{t,NULL,f}", 1000, [true, null, false]],
    ["-Infinity", 701, "-Infinity"],
    ["1e-7", 701, 1e-7],
    ['{"a,b",NULL,"{}"}', 1009, ["a,b", null, "{}"]],
    ["2026-01-02 03:04:05.123456+00", 1184, "2026-01-02T03:04:05.123456+00:00"],
    ["infinity", 1184, "infinity"],
    ["(1,2)", 600, "(1,2)"],
  ])("renders %s of type %i", (text, oid, expected) => {
    expect(toJsonValue(text, oid)).toEqual(expected);
  });

  it("suggests what a name may have been meant to be", () => {
    const names = ["title", "author_id", "created_at", "pages"];
    expect(nearestNames("titel", names)).toEqual(["title"]);
    expect(nearestNames("authorId", names)).toEqual(["author_id"]);
    expect(nearestNames("created", names)).toEqual(["created_at"]);
    expect(nearestNames("zzz", names)).toEqual([]);
    expect(nearestNames("x".repeat(10_000), names)).toEqual([]);
  });

  it("reads Prefer as RFC 7240 says, ignoring what it does not know", () => {
    expect(parsePrefer("return=minimal, count=exact;x=y, resolution=merge-duplicates")).toEqual({
      minimal: true,
      count: true,
      resolution: "merge",
    });
    expect(parsePrefer('RETURN="minimal",handling=lenient')).toMatchObject({ minimal: true, count: false });
    expect(parsePrefer(undefined)).toEqual({ minimal: false, count: false, resolution: null });
  });
});
