import { describe, expect, it } from "vitest";
import { columnList } from "./columns.ts";
import { isLike, readLike } from "./like.ts";
import { conditionFor, parseFilter } from "./parse.ts";
import { reader } from "./testing/world.ts";
import type { FilterTable, RowFilter } from "./types.ts";

const table: FilterTable & { key: readonly string[] } = {
  name: "notes",
  columns: [
    { name: "id", type: "integer", typeOid: 23 },
    { name: "room", type: "text", typeOid: 25, collation: "bytes" },
    { name: "order", type: "integer", typeOid: 23 },
    { name: "price", type: "numeric", typeOid: 1700 },
    { name: "doc", type: "jsonb", typeOid: 3802 },
    { name: "secret", type: "text", typeOid: 25, collation: "bytes" },
  ],
  key: ["id"],
  readable: (column) => column !== "secret",
};
const row = reader(table, ["7", "a", null, "1.50", '{"op": "eq", "n": 1}', "s"]);
const filter = (input: unknown) => parseFilter(input, table) as RowFilter;
const problem = (input: unknown) => (parseFilter(input, table) as { problem: string }).problem;

describe("parseFilter", () => {
  it.each([
    ["", true],
    [{}, true],
    ["id=gte.7&room=like.*", false],
    ["id=gte.7&room=like.%25", true],
    ["or=(id.eq.8,room.in.(a,b))", true],
    ["not.or=(id.eq.8,room.in.(a,b))", false],
    ['"order"=is.null', true],
    ["price=eq.1.5", true],
    [{ id: 7, room: "a" }, true],
    [{ id: "7", room: "b" }, false],
    [{ order: null }, true],
    [{ id: { op: "gt", value: 6 }, room: "a" }, true],
    [
      {
        id: [
          { op: "gt", value: 6 },
          { op: "lt", value: 7 },
        ],
      },
      false,
    ],
    [{ id: { op: "in", value: [1, 7], not: true } }, false],
    [{ order: { op: "is", value: null } }, true],
    [{ order: { op: "eq", value: 1, not: true } }, false],
    [{ doc: { op: "eq", n: 1 } }, true],
  ])("%j lets the row through: %s", (input, passes) => {
    expect(filter(input).test(row)).toBe(passes);
  });

  it("names the columns it reads, and says the same of filters that are the same", () => {
    expect(filter("or=(id.eq.8,room.eq.a)&id=lt.9").columns).toEqual(["id", "room"]);
    expect(filter("id=gt.6").key).toBe(filter({ id: { op: "gt", value: 6 } }).condition.slice(1, -1));
    expect(filter({ id: 7 }).key).not.toBe(filter({ id: { op: "eq", value: 7 } }).key);
    expect(conditionFor(filter("id=gt.6&room=eq.it's"))).toBe(
      `("notes"."id" > '6' and "notes"."room" = 'it''s')`,
    );
  });

  it("refuses a column that may not be read with the words for one that is not there", () => {
    const inputs = (name: string) => [
      { [name]: "s" },
      { [name]: { op: "eq", value: "s" } },
      `${name}=eq.s`,
      `or=(id.eq.1,${name}->>x.is.null)`,
    ];
    for (const [at, hidden] of inputs("secret").entries()) {
      expect(problem(hidden)).toMatch(/names secret: notes has no such column that this connection may read/);
      expect(problem(inputs("absent")[at]).replaceAll("absent", "secret")).toBe(problem(hidden));
    }
  });

  it.each(["select=id", "order=id", "limit=5", "offset=1", "after=", "on_conflict=id"])(
    "refuses %s: it says nothing about a row",
    (text) => expect(problem(`id=eq.1&${text}`)).toContain(`${text.split("=")[0]} has no meaning in it`),
  );

  it.each([
    [7, /A filter is an object/],
    [null, /A filter is an object/],
    [["id"], /A filter is an object/],
    ["id=7", /The filter id=7 can't be read/],
    ["id=eq.1&x.y=eq.2", /names x\.y: notes has no such column/],
    ["authors.name=eq.Ada", /names authors\.name: notes has no such column/],
    ["room->a=eq.1", /looks inside room, which is text and not JSON/],
    ["room=eq.%zz", /no character in UTF-8/],
    ["room=eq.%00", /null character/],
    [{ room: { op: "eq", value: "\ud800" } }, /surrogate/],
    [{ room: { op: "eq", value: null } }, /write \{"op": "is", "value": null\}/],
    [{ room: { op: "near", value: 1 } }, /The filter room=near\.1 can't be read/],
    [{ room: { op: "in", value: "a" } }, /takes a list/],
    [{ room: { op: "select 1; --", value: "a" } }, /can't be read/],
  ])("refuses %j", (input, words) => expect(problem(input)).toMatch(words));

  it("bounds filters, and says which bound was met", () => {
    const limitOf = (input: unknown) => (parseFilter(input, table) as { limit?: string }).limit;
    const names = Object.fromEntries(Array.from({ length: 17 }, (_, n) => [`c${n}`, 1]));
    expect(limitOf(names)).toBe("filterColumns");
    expect(limitOf(`room=eq.${"x".repeat(4_000)}`)).toBe("filterChars");
    expect(limitOf({ room: "x".repeat(1_000) })).toBe("filterValueChars");
    expect(limitOf({ room: { op: "eq", value: "x".repeat(17_000) } })).toBe("objectChars");
    expect(limitOf({ id: Array.from({ length: 17 }, () => ({ op: "gt", value: 1 })) })).toBe(
      "conditionsPerColumn",
    );
  });

  it("has no answer of its own where the log has no value, unless that value does not matter", () => {
    const without = reader(table, [...["7", undefined as never], null, null, null, null]);
    expect(filter("room=eq.a").test(without)).toBe("sql");
    expect(filter({ room: "a" }).test(without)).toBe("sql");
    expect(filter("room=is.null").test(without)).toBe("sql");
    expect(filter("room=eq.a&id=eq.8").test(without)).toBe(false);
    expect(filter("or=(room.eq.a,id.eq.7)").test(without)).toBe(true);
  });

  it("leaves everything to Postgres where Postgres may fail, and says nothing in its place", () => {
    for (const text of ["room=like.a\\", "room=fts.a"]) {
      expect(filter(`id=eq.8&${text}`).test(row)).toBe("sql");
      expect(filter(`id=eq.8&${text}`).needsSql).toBe(true);
    }
  });
});

describe("columnList", () => {
  it("adds the key, keeps the table's order, and refuses what may not be read", () => {
    expect(columnList(undefined, table)).toEqual({ names: null });
    expect(columnList(["room", "room"], table)).toEqual({ names: ["id", "room"] });
    expect(columnList([], table)).toEqual({ names: ["id"] });
    expect(columnList(["room"], { ...table, key: ["secret", "order"] })).toEqual({
      names: ["room", "order"],
    });
    const refusal = (name: string) => (columnList([name], table) as { problem: string }).problem;
    expect(refusal("secret")).toContain("notes has no such column that this connection may read");
    expect(refusal("absent").replace("absent", "secret")).toBe(refusal("secret"));
    expect(columnList("id", table)).toHaveProperty("problem");
    expect(columnList([1], table)).toHaveProperty("problem");
    expect(
      columnList(
        Array.from({ length: 201 }, () => "id"),
        table,
      ),
    ).toMatchObject({ limit: "subscriptionColumns" });
  });
});

describe("isLike", () => {
  it.each([
    ["", "", true],
    ["", "%", true],
    ["", "_", false],
    ["abc", "a%c", true],
    ["abcbc", "a%bc", true],
    ["a%c", "a\\%c", true],
    ["abc", "a\\%c", false],
    ["\u{1f600}", "_", true],
    ["a\u{1f600}b", "a_b", true],
    ["a\u{1f600}b", "a__b", false],
    ["\u{1f600}x\u{1f601}", "%_\u{1f601}", true],
  ])("%j like %j: %s", (text, pattern, expected) => expect(isLike(text, readLike(pattern)!)).toBe(expected));

  it("takes no more than the product of the lengths", () => {
    // Tried in every way the signs could be shared out, this would never end.
    expect(isLike("a".repeat(100_000), readLike(`${"%a".repeat(20)}%b`)!)).toBe(false);
  });
});
