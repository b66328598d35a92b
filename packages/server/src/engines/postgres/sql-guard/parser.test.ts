import { createRequire } from "node:module";
import { expect, test } from "vitest";
import { checkStatement } from "./index.ts";
import { limits } from "./limits.ts";
import { loadParser } from "./parser.ts";
import { measure } from "./tokens.ts";

const isLoaded = () =>
  Object.keys(createRequire(import.meta.url).cache).some((path) => path.includes("libpg-query"));

test("the parser is loaded by the first check and not before", async () => {
  expect(isLoaded()).toBe(false);
  await checkStatement("select 1", { appSchema: "app_x", allow: "read" });
  expect(isLoaded()).toBe(true);
});

const nested = (open: string, close: string, levels: number): string =>
  `select ${open.repeat(levels)}1${close.repeat(levels)}`;

// The forms that take most of the parser's stack for a token.
const FORMS: [string, string][] = [
  ["- ", ""],
  ["not ", ""],
  ["(select ", ")"],
  ["exists(select ", ")"],
  ["f() over (order by ", ")"],
  ["f() filter (where ", ")"],
  ["1 in (select ", ")"],
  ["json_array(", ")"],
  ["case when ", " then 1 end"],
  ["a[", "]"],
  ["array[", "]"],
  ["", "::int"],
  ["", " is null"],
  ["", " collate c"],
  ["", " at local"],
  ["", " union select 1"],
];

test.each(FORMS)("the deepest text let through is safe for the parser: %s…%s", async (open, close) => {
  const parser = await loadParser();
  const fits = (levels: number): boolean => {
    const tokens = parser.scan(nested(open, close, levels));
    return Array.isArray(tokens) && measure(tokens).nesting <= limits.nestingTokens;
  };
  let levels = 1;
  while (levels < 2000 && fits(levels + 10)) levels += 10;
  // A window inside a window is refused only after parsing, so every form has to come back as a tree.
  expect(parser.parse(nested(open, close, levels))).toHaveLength(1);
});

test("after a trap the next caller gets a working parser", async () => {
  const broken = await loadParser();
  expect(broken.parse(nested("(select ", ")", 2500))).toMatchObject({ reason: "complexity" });
  const fresh = await loadParser();
  expect(fresh).not.toBe(broken);
  expect(fresh.parse("select 1")).toHaveLength(1);
});

test("failures are told apart and placed", async () => {
  const parser = await loadParser();
  expect(parser.parse("select 'é' )")).toMatchObject({ reason: "syntax", offset: 11 });
  expect(parser.scan("select 'x")).toMatchObject({ reason: "syntax" });
});
