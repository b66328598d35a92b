import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AmbitError } from "../../kernel/errors.ts";
import { EMPTY_QUERY } from "./ast.ts";
import { parseFilters } from "./filters-object.ts";
import { limits } from "./limits.ts";
import { parsePairs, parseQueryString } from "./query-params.ts";
import { parseOrder, parseSelect } from "./select-list.ts";

const column = (name: string) => ({ column: name, steps: [] });

describe("parseQueryString", () => {
  it("reads every part of a request", () => {
    const query = parseQueryString(
      "a=eq.1&a=not.gt.2&%22order%22=is.NULL&or=(b.in.(1,%22x,y%22),and(c.eq.%22)%22,d.cs.{1,2}))" +
        "&select=id,n:name,meta-%3Ea-%3E%3Eb,rel:t!fk(*)&order=x.desc.nullslast,y&limit=5&offset=10&after=abc&on_conflict=a,b",
    );
    expect(query).toEqual({
      filters: [
        { kind: "compare", path: column("a"), op: "eq", value: "1", negated: false },
        { kind: "compare", path: column("a"), op: "gt", value: "2", negated: true },
        { kind: "is", path: column("order"), value: "null", negated: false },
        {
          kind: "group",
          join: "or",
          negated: false,
          terms: [
            { kind: "in", path: column("b"), values: ["1", "x,y"], negated: false },
            {
              kind: "group",
              join: "and",
              negated: false,
              terms: [
                { kind: "compare", path: column("c"), op: "eq", value: ")", negated: false },
                { kind: "compare", path: column("d"), op: "cs", value: "{1,2}", negated: false },
              ],
            },
          ],
        },
      ],
      select: [
        { kind: "column", path: column("id"), alias: null },
        { kind: "column", path: column("name"), alias: "n" },
        {
          kind: "column",
          path: {
            column: "meta",
            steps: [
              { key: "a", asText: false },
              { key: "b", asText: true },
            ],
          },
          alias: null,
        },
        { kind: "embed", relation: "t", hints: ["fk"], alias: "rel", items: [{ kind: "all" }] },
      ],
      order: [
        { path: column("x"), descending: true, nullsFirst: false },
        { path: column("y"), descending: false, nullsFirst: false },
      ],
      limit: 5,
      offset: 10,
      after: "abc",
      onConflict: ["a", "b"],
    });
    expect(parseQueryString("")).toEqual(EMPTY_QUERY);
    expect(parseQueryString("select=&order=&limit=")).toEqual({ ...EMPTY_QUERY });
  });

  it.each([
    ["eq.", ""],
    ["eq.a.b", "a.b"],
    ["eq.(x", "(x"],
    ['eq."q"', '"q"'],
    ["eq.a,b)", "a,b)"],
    ["like.*", "*"],
  ])("takes the value of %s as it is", (text, value) => {
    expect(parsePairs([["a", text]]).filters).toMatchObject([{ value }]);
  });

  it.each([
    ["in.(a, b ,c)", ["a", "b", "c"]],
    ['in.("a\\"b","\\\\", " x ")', ['a"b', "\\", " x "]],
    ["in.(,)", ["", ""]],
    ["in.( )", []],
    ['in.("")', [""]],
  ])("reads the list %s", (text, values) => {
    expect(parsePairs([["a", text]]).filters).toMatchObject([{ values }]);
  });

  it.each([
    "a=1",
    "a=",
    "a",
    "=eq.1",
    "a=foo.1",
    "a=not.1",
    "a=not.not.eq.1",
    "a=in.1",
    "a=in.(1",
    "a=in.(1)x",
    'a=in.("1',
    "a=is.xyz",
    "or=a.eq.1",
    "or=(a.eq.1",
    "or=(a.eq.1)x",
    "or=()",
    "or=(a)",
    "or=(a.eq.1,)",
    "a->=eq.1",
    "a->>b->c=eq.1",
    "select=a&select=b",
    "select=a,,b",
    "select=a(b(c))",
    "select=a!x",
    "select=1x:a",
    'select="x y":a',
    "order=a.up",
    "order=,",
    "limit=1.5",
    "limit=x",
    "offset=-1",
    "on_conflict=,",
    `a=eq.1${"&a=eq.1".repeat(limits.filterTerms)}`,
    `a=in.(${"1,".repeat(limits.inValues)}1)`,
    `or=${"(and".repeat(10)}`,
    `or=(and${"(or".repeat(10)}(a.eq.1${")".repeat(12)}`,
    `select=${"a,".repeat(limits.selectItems)}a`,
    `select=a(*)${",a(*)".repeat(limits.embeds)}`,
    `order=${"a,".repeat(limits.orderTerms)}a`,
    `a${"->b".repeat(limits.pathSteps + 1)}=eq.1`,
  ])("refuses %.60s", (text) => {
    expect(() => parseQueryString(text)).toThrow(AmbitError);
  });

  it("throws nothing but AmbitError, whatever the text", () => {
    const grammar = fc.constantFrom(
      "select=",
      "order=",
      "or=",
      "and=",
      "not.or=",
      "limit=",
      "after=",
      "on_conflict=",
      "a",
      "b",
      "->",
      "->>",
      "eq.",
      "not.",
      "in.",
      "is.",
      "cs.",
      "(",
      ")",
      "{",
      "}",
      "[",
      "]",
      '"',
      "\\",
      ",",
      ".",
      ":",
      "!",
      "*",
      "&",
      "=",
      "%",
      "%41",
      "+",
      " ",
      "null",
      "1",
    );
    const text = fc.oneof(
      fc.array(grammar, { maxLength: 30 }).map((parts) => parts.join("")),
      fc.string({ unit: "binary" }),
    );
    fc.assert(
      fc.property(text, (raw) => {
        try {
          parseQueryString(raw);
        } catch (error) {
          expect(error).toBeInstanceOf(AmbitError);
        }
      }),
      { numRuns: 5_000 },
    );
  });
});

describe("parseFilters", () => {
  it("takes any value there can be in JSON, and any column name", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ minLength: 1 }), fc.jsonValue()), (given) => {
        try {
          parseFilters(given);
        } catch (error) {
          expect(error).toBeInstanceOf(AmbitError);
        }
      }),
    );
    const odd = 'we"ird, (name).eq';
    expect(parseFilters({ [odd]: 1 })).toMatchObject([{ path: column(odd), op: "eq", value: "1" }]);
  });
});

describe("parseSelect and parseOrder", () => {
  it("respect quotes", () => {
    expect(parseSelect('"a,b",x:"c:d"')).toMatchObject([
      { path: column("a,b") },
      { path: column("c:d"), alias: "x" },
    ]);
    expect(parseSelect('m->"0"->1')).toMatchObject([{ path: { steps: [{ key: "0" }, { key: 1 }] } }]);
    expect(parseOrder('"a.b".desc')).toMatchObject([
      { path: column("a.b"), descending: true, nullsFirst: true },
    ]);
  });
});
