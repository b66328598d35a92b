import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AmbitError } from "../../kernel/errors.ts";
import { EMPTY_QUERY } from "./ast.ts";
import { parsePairs, parseQueryString } from "./query-params.ts";
import { readInsert } from "./rows.ts";
import { buildGet, buildList } from "./sql-select.ts";
import { buildDelete, buildInsert, buildUpdate } from "./sql-write.ts";
import { CUSTOMERS, ORDERS, SHOP } from "./testing/shop.ts";

const list = (query: string, options = { count: false, cursor: false }) =>
  buildList(SHOP, ORDERS, parseQueryString(query), options).statement;

describe("the SQL of a list", () => {
  it("is stable in its text while values change, so that plans are shared", () => {
    expect(list("note=eq.1&id=in.(1,2)").text).toBe(list("note=eq.2&id=in.(3,4,5)").text);
    expect(list("note=eq.x&limit=10").values).toEqual(["x"]);
  });

  it("asks for no order, count or key that nobody wanted", () => {
    const { text } = list("limit=10");
    expect(text).not.toMatch(/order by|array_agg|select count/);
    expect(list("limit=10", { count: false, cursor: true }).text).toContain('order by t."id" limit 10');
  });

  it("quotes names as the catalogue has them", () => {
    expect(list('select="odd\\"name"').text).toContain('t."odd""name" as "odd""name"');
  });

  it("leaves out what the role may not read", () => {
    const anon = { ...SHOP, role: "anon" as const };
    const { statement } = buildList(anon, CUSTOMERS, EMPTY_QUERY, { count: false, cursor: false });
    expect(statement.text).not.toContain("phone");
    expect(statement.text).not.toContain("t.*");
    expect(buildList(SHOP, CUSTOMERS, EMPTY_QUERY, { count: false, cursor: false }).statement.text).toContain(
      "t.*",
    );
  });
});

describe("values and SQL", () => {
  const MARK = "zqXmarkXqz";
  const hostile = fc.string({ unit: "grapheme" }).map((text) => `${MARK}'"${text}`);
  const quoted = (text: string) => `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
  const pair = fc.oneof(
    hostile.map((value): [string, string] => ["note", `eq.${value}`]),
    hostile.map((value): [string, string] => ["note", `not.like.${value}`]),
    hostile.map((value): [string, string] => ["note", `fts.${value}`]),
    hostile.map((value): [string, string] => ["tags", `cs.${value}`]),
    hostile.map((value): [string, string] => ["tags", `in.(${quoted(value)},x)`]),
    hostile.map((value): [string, string] => ["id", `in.(${quoted(value)})`]),
    hostile.map((value): [string, string] => [`data->${quoted(value)}->>${quoted(value)}`, "eq.1"]),
    hostile.map((value): [string, string] => [
      "or",
      `(note.eq.${quoted(value)},data->>${quoted(value)}.is.null)`,
    ]),
    hostile.map((value): [string, string] => ["and", `(not.or(id.eq.${quoted(value)}))`]),
  );
  const reserved = fc.record(
    {
      select: hostile.map((value) => `id,x:data->${quoted(value)},customers(name)`),
      order: hostile.map((value) => `data->>${quoted(value)}.desc,id`),
      after: hostile,
      limit: fc.nat(100).map(String),
      offset: fc.nat(100).map(String),
      on_conflict: fc.constant("id"),
    },
    { requiredKeys: [] },
  );
  const query = fc
    .tuple(fc.array(pair, { maxLength: 5 }), reserved)
    .map(([filters, others]) => [...filters, ...Object.entries(others)]);

  it("never meet: no value of a caller is ever in the text of a statement", () => {
    fc.assert(
      fc.property(query, hostile, (pairs, value) => {
        const parsed = parsePairs(pairs);
        const { after: _after, ...unpaged } = parsed;
        const plain = { ...EMPTY_QUERY, filters: parsed.filters, select: parsed.select };
        const target = { id: null, query: plain };
        const order = {
          ...readInsert(JSON.stringify([{ note: value }, { id: 1 }])),
          resolution: null,
          returning: true,
        };
        const builds = [
          () => buildList(SHOP, ORDERS, { ...unpaged, after: null }, { count: true, cursor: true }).statement,
          () => buildList(SHOP, ORDERS, parsed, { count: false, cursor: false }).statement,
          () => buildGet(SHOP, ORDERS, value, plain),
          () => buildInsert(SHOP, ORDERS, parsed, order),
          () =>
            buildUpdate(SHOP, ORDERS, target, { columns: ["note"], json: value }, { kind: "many", rows: 5 }),
          () => buildDelete(SHOP, ORDERS, target, { kind: "none" }),
        ];
        for (const build of builds) {
          try {
            expect(build().text).not.toContain(MARK);
          } catch (error) {
            if (!(error instanceof AmbitError)) throw error;
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  it("never meet through names either: a name that is not in the catalogue is refused", () => {
    const names = fc
      .string({ minLength: 1 })
      .filter((name) => !ORDERS.columns.some((column) => column.name === name));
    fc.assert(
      fc.property(names, (name) => {
        for (const pairs of [
          [[quoted(name), "eq.1"]],
          [["select", quoted(name)]],
          [["order", quoted(name)]],
          [["on_conflict", quoted(name)]],
        ] as [string, string][][]) {
          const parsed = parsePairs(pairs);
          const order = { ...readInsert(`{"id":1}`), resolution: null, returning: true };
          expect(() => {
            buildList(SHOP, ORDERS, parsed, { count: false, cursor: false });
            buildInsert(SHOP, ORDERS, parsed, order);
          }).toThrow(AmbitError);
        }
        expect(() =>
          buildUpdate(
            SHOP,
            ORDERS,
            { id: "1", query: EMPTY_QUERY },
            { columns: [name], json: "{}" },
            { kind: "one" },
          ),
        ).toThrow(AmbitError);
      }),
    );
  });
});
