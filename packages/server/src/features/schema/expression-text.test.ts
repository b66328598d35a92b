import { expect, test } from "vitest";
import { readType } from "./column-type.ts";
import { plainDefault, withoutOuterParens } from "./expression-text.ts";
import { derivedName, identifierProblem, nameOf } from "./identifiers.ts";

test("only parentheses around the whole go", () => {
  const cases: [string, string][] = [
    ["((a > 0))", "a > 0"],
    ["(a) + (b)", "(a) + (b)"],
    ["(a = ')')", "a = ')'"],
    ["('(' || a)", "'(' || a"],
    ['("x)" = 1)', '"x)" = 1'],
    ["(a = 'it''s)')", "a = 'it''s)'"],
    ["(E'\\')' || a)", "(E'\\')' || a)"],
    ["(a", "(a"],
  ];
  for (const [text, wanted] of cases) expect(withoutOuterParens(text), text).toBe(wanted);
});

test("a default loses the cast to its own type, and no other", () => {
  const enums = new Set(["mood"]);
  const plain = (text: string, type: string) => plainDefault(text, readType(type, enums, new Set())!.type);
  expect(plain("'x'::text", "text")).toBe("'x'");
  expect(plain("'x'::character varying", "varchar(20)")).toBe("'x'");
  expect(plain("'x'::bpchar", "char(4)")).toBe("'x'");
  expect(plain("'-1'::integer", "numeric(8,2)")).toBe("-1");
  expect(plain("'{}'::text[]", "text[]")).toBe("'{}'");
  expect(plain("'ok'::mood", "mood")).toBe("'ok'");
  expect(plain("'{}'::mood[]", "mood[]")).toBe("'{}'");
  expect(plain("NULL::character varying", "varchar")).toBeNull();
  expect(plain("'a'::text || 'b'::text", "text")).toBe("'a'::text || 'b'::text");
  expect(plain("'1'::text", "integer")).toBe("'1'::text");
  expect(plain("now()", "timestamptz")).toBe("now()");
});

test("long names stay apart and are always the same", () => {
  const table = "t".repeat(60);
  const one = nameOf.unique(table, "a");
  expect(one).toHaveLength(63);
  expect(one).toBe(nameOf.unique(table, "a"));
  expect(one).not.toBe(nameOf.unique(table, "b"));
  expect(derivedName("fk", "posts", "user_id")).toBe("fk_posts_user_id");
});

test("names are lower case, short and plain", () => {
  for (const name of ["a", "_x", "user_2", "x".repeat(63)]) expect(identifierProblem(name)).toBeNull();
  for (const name of ["", "A", "2a", "a-b", 'a"b', "ä", "a b", "x".repeat(64)])
    expect(identifierProblem(name)).not.toBeNull();
});
