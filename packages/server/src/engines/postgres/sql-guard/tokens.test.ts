import fc from "fast-check";
import { expect, test } from "vitest";
import { childrenOf } from "./nodes.ts";
import { loadParser, type Parser, type Token } from "./parser.ts";
import { measure, rejoin, withoutComments } from "./tokens.ts";

const tokensOf = (parser: Parser, sql: string): Token[] => {
  const tokens = parser.scan(sql);
  if (!Array.isArray(tokens)) throw new Error(tokens.message);
  return withoutComments(tokens);
};

function depthOf(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  return 1 + Object.values(value).reduce<number>((deepest, child) => Math.max(deepest, depthOf(child)), 0);
}

// Every form is closed under itself, so they nest in any order.
const { expression } = fc.letrec<{ expression: string; query: string }>((tie) => ({
  query: fc.oneof(
    { withCrossShrink: true, maxDepth: 40 },
    tie("expression").map((e) => `select ${e}`),
    fc.tuple(tie("query"), tie("query")).map(([a, b]) => `(${a}) union (${b})`),
    fc.tuple(tie("query"), tie("expression")).map(([q, e]) => `with c as (${q}) select ${e}, 1`),
    tie("query").map((q) => `select 1 from (${q}) q join lateral (${q}) r on true`),
  ),
  expression: fc.oneof(
    { withCrossShrink: true, maxDepth: 40 },
    fc.constantFrom("1", "a.b", "'x'"),
    tie("query").map((q) => `(${q})`),
    tie("expression").map((e) => `f(1, ${e}, 2)`),
    tie("expression").map((e) => `(${e}) is null`),
    tie("expression").map((e) => `- - ${e}`),
    tie("expression").map((e) => `array[1, ${e}]`),
    tie("expression").map((e) => `case when ${e} then 1 else 2 end`),
    tie("expression").map((e) => `sum(1) filter (where ${e}) over (order by ${e})`),
    fc.tuple(tie("expression"), tie("expression")).map(([a, b]) => `(${a}) + 1 + 1 + (${b})`),
    fc.tuple(tie("expression"), tie("query")).map(([e, q]) => `(${e}) in (${q})`),
  ),
}));

test("nesting bounds the depth of the parse tree", async () => {
  const parser = await loadParser();
  fc.assert(
    fc.property(expression, (text) => {
      const sql = `select ${text}`;
      fc.pre(sql.length < 8000);
      const { nesting } = measure(tokensOf(parser, sql));
      // One token opens at most a handful of JSON levels: node, fields, list, wrapper.
      expect(depthOf(parser.parse(sql))).toBeLessThanOrEqual(8 * nesting);
    }),
    { numRuns: 300 },
  );
});

test("a chain after a bracket adds to what is in the bracket", async () => {
  const parser = await loadParser();
  const chain = `1${"+1".repeat(50)}`;
  const nested = `${"(".repeat(10)}${`${chain})`.repeat(10)}`;
  const { nesting } = measure(tokensOf(parser, `select ${nested.replaceAll(")1", ")")}`));
  expect(nesting).toBeGreaterThan(1000);
});

test("multi-column assignments are measured, comparisons of rows are not", async () => {
  const parser = await loadParser();
  const found = (sql: string) => measure(tokensOf(parser, sql));
  expect(found("update t set x = 1, (a, b, c) = (select 1, 2, 3)").assignedColumns).toBe(3);
  expect(found("update t set (a, b) = (1, 2) where (a, b, c, d) = (1, 2, 3, 4)").assignedColumns).toBe(2);
  expect(found("with w as (update t set (a, b) = (1, 2)) select 1").nestedAssignment).toBe(false);
  expect(
    found("with w as (with v as (update t set (a, b) = (1, 2)) select 1) select 1").nestedAssignment,
  ).toBe(true);
});

test("rejoined text keeps its tokens and loses its comments", async () => {
  const parser = await loadParser();
  const sql = "/* é */ select\n\t'é -- x' ||$$/* y */$$-- z\n||\"A b\"/**/::text";
  expect(rejoin(sql, tokensOf(parser, sql))).toBe(`select 'é -- x' ||$$/* y */$$ ||"A b" ::text`);
});

test("children without a place in the tables come back as unknown", () => {
  expect(childrenOf("A_Expr", { lexpr: { A_Const: {} }, odd: { one: {}, two: {} }, list: [{}, 3] })).toEqual([
    { field: "lexpr", tag: "A_Const", fields: {} },
    { field: "odd", tag: "?", fields: {} },
    { field: "list", tag: "?", fields: {} },
  ]);
});
