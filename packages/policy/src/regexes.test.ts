import { expect, it } from "vitest";
import { compile } from "./compile.ts";
import { limits } from "./limits.ts";
import { callOf, decideFresh, documentOf } from "./testing/helpers.ts";

const matcher = (pattern: string) => {
  const condition = { path: "args.a", op: "regex", value: pattern };
  const policy = compile(documentOf({ t: { require: [{ conditions: [condition] }] } }));
  return (a: string) => decideFresh(policy, callOf("t", { a })).outcome === "allow";
};

it("is RE2: unanchored, by characters, `.` without line ends, Unicode classes", () => {
  expect(matcher("b")("abc")).toBe(true);
  expect(matcher("^b$")("abc")).toBe(false);
  expect(matcher("^.$")("\u{1f600}")).toBe(true);
  expect(matcher("a.b")("a\nb")).toBe(false);
  expect(matcher("(?s)a.b")("a\nb")).toBe(true);
  expect(matcher("^b$")("a\nb\nc")).toBe(false);
  expect(matcher("(?m)^b$")("a\nb\nc")).toBe(true);
  expect(matcher("^\\p{Greek}+$")("λόγος")).toBe(true);
  expect(matcher("\\Qa.b\\E")("axb")).toBe(false);
  expect(matcher("(?P<year>\\d{4})")("in 2026")).toBe(true);
});

it.each([
  "(a+)+$",
  "^(a|a)*$",
  "^(a|aa)+$",
  "(.*)*x",
  "(a*)*b",
  "^(([a-z])+.)+[A-Z]([a-z])+$",
  "(x+x+)+y",
  "([a-zA-Z]+)*!$",
  "^(\\w+\\s?)*$",
  "(?:a?){200}a{200}",
  "[ab]*a[ab]{12}c",
])("%s takes time in proportion to the text", (pattern) => {
  const matches = matcher(pattern);
  const timeOf = (text: string) => {
    const started = performance.now();
    matches(text);
    return performance.now() - started;
  };
  const texts = [
    (length: number) => `${"a".repeat(length)}!`,
    (length: number) => `${"ab".repeat(length / 2)}\u0000`,
  ];
  for (const text of texts) {
    timeOf(text(1_000));
    const times = [1, 2, 3].map(() => timeOf(text(100_000)));
    // A backtracking matcher needs longer than anyone has for the first of them.
    expect(Math.min(...times)).toBeLessThan(1_000);
  }
});

it("text beyond the bound is not searched, and counts as a value of the wrong type", () => {
  const long = "a".repeat(limits.regexInputChars + 1);
  const condition = { path: "args.a", op: "regex", value: "z" };
  const outcome = (list: string, a: string) =>
    decideFresh(documentOf({ t: { [list]: [{ conditions: [condition] }] } }), callOf("t", { a })).outcome;
  expect(outcome("deny_if", long)).toBe("deny");
  expect(outcome("deny_if", long.slice(1))).toBe("allow");
  expect(outcome("approve_if", long)).toBe("hold");
  expect(matcher("a")(long)).toBe(false);
  expect(matcher("a")(long.slice(1))).toBe(true);
});
