import { describe, expect, it } from "vitest";
import { compile } from "./compile.ts";
import { callOf, decideFresh, documentOf } from "./testing/helpers.ts";
import { type Json, type JsonObject, OPERATORS } from "./types.ts";

type List = "require" | "deny_if" | "approve_if";
/** Whether a predicate on `path` holds in a list; read off what becomes of the call. */
function holds(list: List, path: string, op: string, value: Json | undefined, args: JsonObject): boolean {
  const condition = { path, op, ...(value === undefined ? {} : { value }) };
  const policy = compile(documentOf({ t: { [list]: [{ conditions: [condition] }] } }));
  const { outcome } = decideFresh(policy, callOf("t", args));
  return list === "require" ? outcome === "allow" : outcome !== "allow";
}
const LISTS: List[] = ["require", "deny_if", "approve_if"];
const all = (path: string, op: string, value: Json | undefined, args: JsonObject) =>
  LISTS.map((list) => holds(list, path, op, value, args));
const YES = [true, true, true];
const NO = [false, false, false];
/** A value of the wrong type for a numeric operator or regex: false in require, else it counts as a match. */
const WRONG_TYPE = [false, true, true];

it("there are exactly eleven operators", () => {
  expect([...OPERATORS].sort()).toEqual(
    ["eq", "neq", "lt", "lte", "gt", "gte", "in", "not_in", "exists", "regex", "contains"].sort(),
  );
});

const CASES: [op: string, value: Json | undefined, given: Json, expected: boolean[]][] = [
  ["eq", 5, 5, YES],
  ["eq", 5, "5", NO],
  ["eq", "5", 5, NO],
  ["eq", 0, -0, YES],
  ["eq", 0, false, NO],
  ["eq", 0, "", NO],
  ["eq", null, null, YES],
  ["eq", null, 0, NO],
  ["eq", "é", "e\u0301", NO],
  ["eq", [1, { a: 1, b: [2] }], [1, { b: [2], a: 1 }], YES],
  ["eq", [1, 2], [2, 1], NO],
  ["eq", { a: 1 }, { a: 1, b: 2 }, NO],
  ["eq", [], {}, NO],
  ["neq", "prod", "dev", YES],
  ["neq", "prod", "prod", NO],
  ["neq", "prod", 5, NO],
  ["neq", "prod", ["dev"], NO],
  ["neq", "prod", null, NO],
  ["neq", null, 5, YES],
  ["neq", null, null, NO],
  ["lt", 10, 9.99, YES],
  ["lt", 10, 10, NO],
  ["lte", 10, 10, YES],
  ["lte", 10, 10.01, NO],
  ["gt", 100, 100.5, YES],
  ["gt", 100, 100, NO],
  ["gte", 100, 100, YES],
  ["gte", 100, 99, NO],
  ["gt", 100, "9e9", WRONG_TYPE],
  ["gt", 100, [500], WRONG_TYPE],
  ["gt", 100, null, WRONG_TYPE],
  ["gt", 100, true, WRONG_TYPE],
  ["lt", 100, "5", WRONG_TYPE],
  ["lte", 100, {}, WRONG_TYPE],
  ["gte", 100, "", WRONG_TYPE],
  ["in", ["a", 1], "a", YES],
  ["in", ["a", 1], "1", NO],
  ["in", ["a", 1], ["a"], NO],
  ["in", [["a"], { b: 1 }], { b: 1 }, YES],
  ["in", [0], -0, YES],
  ["in", [], "a", NO],
  ["in", [null], null, YES],
  ["not_in", ["a", "b"], "c", YES],
  ["not_in", ["a", "b"], "a", NO],
  ["not_in", ["a", "b"], 5, NO],
  ["not_in", ["a", 1], 5, YES],
  ["not_in", [], 5, YES],
  ["exists", true, 0, YES],
  ["exists", true, "", YES],
  ["exists", true, false, YES],
  ["exists", true, null, NO],
  ["exists", undefined, 1, YES],
  ["exists", false, null, YES],
  ["exists", false, 0, NO],
  ["regex", "b.d", "abcd", YES],
  ["regex", "^b", "abcd", NO],
  ["regex", "(?i)DROP\\s+table", "x; drop  table y", YES],
  ["regex", "a", 5, WRONG_TYPE],
  ["regex", "a", ["a"], WRONG_TYPE],
  ["regex", "a", null, WRONG_TYPE],
  ["contains", "main", "refs/heads/main", YES],
  ["contains", "main", "mai", NO],
  ["contains", "", "anything", YES],
  ["contains", 1, "1", NO],
  ["contains", "a", ["b", "a"], YES],
  ["contains", "a", ["ab"], NO],
  ["contains", 1, ["1"], NO],
  ["contains", { a: 1 }, [{ a: 1 }], YES],
  ["contains", "a", { a: 1 }, NO],
  ["contains", "1", 1, NO],
];
describe("what an operator says of a value, in require, deny_if and approve_if", () => {
  it.each(CASES)("%s %j of %j", (op, value, given, expected) => {
    expect(all("args.a", op, value, { a: given })).toEqual(expected);
    // The same at the end of any path, and for one element of a list.
    expect(all("args.x.0.y", op, value, { x: [{ y: given }] })).toEqual(expected);
    expect(all("args.x.*", op, value, { x: [given] })).toEqual(expected);
  });

  it.each([
    ["eq", 1],
    ["eq", null],
    ["neq", 1],
    ["neq", null],
    ["lt", 1],
    ["lte", 1],
    ["gt", 1],
    ["gte", 1],
    ["in", [null, 1]],
    ["not_in", [1]],
    ["not_in", []],
    ["exists", true],
    ["regex", ""],
    ["contains", ""],
  ] as [string, Json][])("%s %j of a missing path is false", (op, value) => {
    for (const path of ["args.no", "args.a.no", "args.list.1", "args.no.*", "args.empty.*", "args.null.*"]) {
      expect(all(path, op, value, { a: 1, list: [1], empty: [], null: null })).toEqual(NO);
    }
  });

  it("exists false of a missing path is true", () => {
    for (const path of [
      "args.no",
      "args.a.no",
      "args.list.1",
      "args.no.*.url",
      "args.empty.*",
      "args.null.*",
    ]) {
      expect(all(path, "exists", false, { a: 1, list: [1], empty: [], null: null })).toEqual(YES);
    }
  });
});

describe("paths", () => {
  const args = JSON.parse(
    '{"a":{"b":1},"items":[{"url":"u0"},{"url":"u1"}],"a.b":2,"0":3,"*":4,"__proto__":{"x":5},"x\\"y":6,"l":[[7]],"i":[0,1,2,3,4,5,6,7,8,9,10]}',
  ) as JsonObject;
  it.each([
    ["args.a.b", 1],
    ['args["a"]["b"]', 1],
    ["args.items.1.url", "u1"],
    ['args["a.b"]', 2],
    ["args.0", 3],
    ['args["*"]', 4],
    ["args.__proto__.x", 5],
    ['args["x\\"y"]', 6],
    ["args.l.0.0", 7],
    ["args.i.10", 10],
    ["args", args],
  ] as [string, Json][])("%s reads %j", (path, value) => {
    expect(holds("require", path, "eq", value, args)).toBe(true);
  });

  it.each([
    "args.constructor",
    "args.toString",
    "args.a.__proto__",
    "args.a.constructor.name",
    "args.items.length",
    "args.items.2",
    "args.items.-1",
    "args.items.00",
    "args.items.1.0",
    "args.items.map",
    'args["items"]["0"]',
    "args.a.b.c",
    "args.items.0.url.0",
    "args.items.0.url.length",
    "args.A",
  ])("%s reads nothing", (path) => {
    expect(holds("require", path, "exists", false, args)).toBe(true);
    expect(holds("deny_if", path, "exists", true, args)).toBe(false);
  });

  it("* asks for any element where a rule stops a call, and for every element in require", () => {
    const urls = (...all: Json[]) => ({ items: all.map((url) => ({ url })) });
    const good = (given: JsonObject) => all("args.items.*.url", "regex", "^https://", given);
    expect(good(urls("https://a", "https://b"))).toEqual(YES);
    expect(good(urls("https://a", "http://b"))).toEqual([false, true, true]);
    expect(good(urls("http://a", "http://b"))).toEqual(NO);
    expect(good(urls("http://a", 5))).toEqual(WRONG_TYPE);
    // An element without the key is a missing path of its own.
    expect(good({ items: [{ url: "https://a" }, {}] })).toEqual([false, true, true]);
    expect(all("args.items.*.url", "exists", false, { items: [{ url: "u" }, {}] })).toEqual([
      false,
      true,
      true,
    ]);
    // No element at all: one missing value.
    expect(good({ items: [] })).toEqual(NO);
    expect(all("args.m.*.*", "eq", 1, { m: [[1], [1, 1]] })).toEqual(YES);
    expect(all("args.m.*.*", "eq", 1, { m: [[1], []] })).toEqual([false, true, true]);
    expect(all("args.m.*.*", "eq", 1, { m: [[0], [0, 1]] })).toEqual([false, true, true]);
  });

  it("* that meets what is no list stops the call, whatever the operator", () => {
    for (const given of ["http://evil", 5, true, { "0": { url: "x" } }] as Json[]) {
      for (const [op, value] of [
        ["eq", "x"],
        ["exists", true],
        ["exists", false],
        ["gt", 1],
      ] as [string, Json][]) {
        expect(all("args.items.*.url", op, value, { items: given })).toEqual(WRONG_TYPE);
      }
    }
  });
});

it("conditions are ANDed, each by itself", () => {
  const two = [
    { path: "args.a", op: "gt", value: 10 },
    { path: "args.b", op: "eq", value: "USD" },
  ];
  const policy = compile(documentOf({ t: { deny_if: [{ conditions: two }] } }));
  const outcome = (args: JsonObject) => decideFresh(policy, callOf("t", args)).outcome;
  expect(outcome({ a: 11, b: "USD" })).toBe("deny");
  expect(outcome({ a: 11, b: "EUR" })).toBe("allow");
  expect(outcome({ a: 10, b: "USD" })).toBe("allow");
  expect(outcome({ a: "9e9", b: "USD" })).toBe("deny");
  expect(outcome({ a: "9e9", b: "EUR" })).toBe("allow");
});
