import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Json, JsonObject } from "../../ledger/service.ts";
import { cutBytes, equalJson, mergePatch, textsIn } from "./json.ts";

describe("a merge patch", () => {
  // The object cases of RFC 7396, appendix A.
  it.each([
    ['{"a":"b"}', '{"a":"c"}', '{"a":"c"}'],
    ['{"a":"b"}', '{"b":"c"}', '{"a":"b","b":"c"}'],
    ['{"a":"b"}', '{"a":null}', "{}"],
    ['{"a":"b","b":"c"}', '{"a":null}', '{"b":"c"}'],
    ['{"a":["b"]}', '{"a":"c"}', '{"a":"c"}'],
    ['{"a":"c"}', '{"a":["b"]}', '{"a":["b"]}'],
    ['{"a":{"b":"c"}}', '{"a":{"b":"d","c":null}}', '{"a":{"b":"d"}}'],
    ['{"a":[{"b":"c"}]}', '{"a":[1]}', '{"a":[1]}'],
    ['{"e":null}', '{"a":1}', '{"e":null,"a":1}'],
    ["{}", '{"a":{"bb":{"ccc":null}}}', '{"a":{"bb":{}}}'],
    ['{"a":1}', '{"__proto__":{"b":1}}', '{"a":1,"__proto__":{"b":1}}'],
  ])("%s with %s is %s", (target, patch, result) => {
    expect(JSON.stringify(mergePatch(JSON.parse(target), JSON.parse(patch)))).toBe(result);
  });

  it("done twice is the same as done once, and one with itself changes nothing", () => {
    const object = fc.dictionary(
      fc.string({ maxLength: 3 }),
      fc.jsonValue({ maxDepth: 3 }),
    ) as fc.Arbitrary<JsonObject>;
    fc.assert(
      fc.property(object, object, (target, patch) => {
        const once = mergePatch(target, patch);
        return equalJson(mergePatch(once, patch), once) && equalJson(mergePatch(target, {}), target);
      }),
    );
  });
});

it("two values are equal when they say the same, in whatever order", () => {
  const reversed = (value: Json): Json => {
    if (Array.isArray(value)) return value.map(reversed);
    if (typeof value !== "object" || value === null) return value;
    const entries = Object.entries(value).map(([name, each]) => [name, reversed(each)] as const);
    return Object.fromEntries(entries.reverse());
  };
  const order = (value: Json) =>
    JSON.stringify(value, (_, each) =>
      each !== null && typeof each === "object" && !Array.isArray(each)
        ? Object.fromEntries(Object.entries(each).sort())
        : each,
    );
  fc.assert(fc.property(fc.jsonValue(), (value) => equalJson(value as Json, reversed(value as Json))));
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 2 }), fc.jsonValue({ maxDepth: 2 }), (a, b) => {
      expect(equalJson(a as Json, b as Json)).toBe(order(a as Json) === order(b as Json));
    }),
  );
  expect(equalJson([], {})).toBe(false);
  expect(equalJson(null, {})).toBe(false);
  expect(equalJson({ a: null }, { b: null })).toBe(false);
});

it("a text is cut between two characters", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.nat(40), (text, bytes) => {
      const cut = cutBytes(text, bytes);
      const next = [...text.slice(cut.length)][0];
      expect(text.startsWith(cut)).toBe(true);
      expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(bytes);
      expect(cut.isWellFormed()).toBe(true);
      if (next !== undefined) expect(Buffer.byteLength(cut + next)).toBeGreaterThan(bytes);
    }),
  );
});

it("texts and numbers are found wherever they stand", () => {
  expect(textsIn({ a: ["x", { b: 7, c: null }], d: true, e: "y" })).toEqual(["x", "7", "y"]);
});
