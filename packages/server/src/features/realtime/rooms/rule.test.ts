import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { newBucket, take } from "./bucket.ts";
import { isSteady, patternProblem, type Rule, ruleFor } from "./rule.ts";

const rule = (pattern: string): Rule => {
  const condition = { expression: "true", steady: true };
  return { pattern, receive: condition, send: condition };
};
const counting = (name: string, ...patterns: string[]) => ruleFor(patterns.map(rule), name)?.pattern ?? null;

describe("rules", () => {
  it("lets the longest match count, and a whole name before any beginning", () => {
    expect(counting("room:1", "*", "room:*", "r*")).toBe("room:*");
    expect(counting("room:1", "room:1", "room:1*")).toBe("room:1");
    expect(counting("room:1", "room:*", "room:1")).toBe("room:1");
    expect(counting("room:12", "room:1", "room:1*")).toBe("room:1*");
    expect(counting("room", "room:*")).toBe(null);
    expect(counting("anything", "*")).toBe("*");
    expect(counting("Room:1", "room:*")).toBe(null);
  });

  it("finds the same rule in whatever order they are", () => {
    const text = fc.string({ unit: fc.constantFrom("a", "b", ":"), maxLength: 4 });
    const pattern = fc.tuple(text, fc.boolean()).map(([start, open]) => (open ? `${start}*` : start));
    fc.assert(
      fc.property(fc.uniqueArray(pattern), text, (patterns, name) => {
        const found = counting(name, ...patterns);
        expect(counting(name, ...patterns.toReversed())).toBe(found);
        const matches = patterns.filter((each) =>
          each.endsWith("*") ? name.startsWith(each.slice(0, -1)) : each === name,
        );
        expect(found === null).toBe(matches.length === 0);
        if (found !== null) expect(matches).toContain(found);
      }),
      { seed: 7 },
    );
  });

  it("takes one * at the end and no other", () => {
    expect(["room:*", "*", "room"].map(patternProblem)).toEqual([null, null, null]);
    for (const bad of ["*room", "a*b", "a**", "a\u0000", "\ud800"])
      expect(patternProblem(bad)).not.toBe(null);
  });

  it("holds only conditions for steady whose answer can't change by itself", () => {
    const none = { functions: [], hasSubquery: false };
    expect(isSteady("channel = 'a'", none)).toBe(true);
    expect(isSteady("channel = current_user_id()", { ...none, functions: ["current_user_id"] })).toBe(true);
    expect(isSteady("exists (select 1 from t)", { ...none, hasSubquery: true })).toBe(false);
    expect(isSteady("now() > x", { ...none, functions: ["now"] })).toBe(false);
    expect(isSteady("'now'::timestamptz > x", none)).toBe(false);
    expect(isSteady("f()", { ...none, functions: ["f"] })).toBe(false);
  });
});

describe("take", () => {
  it("never lets through more than the burst and what has come in since", () => {
    const rate = { perSecond: 10, burst: 5 };
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -50, max: 400 }), { maxLength: 200 }), (pauses) => {
        const bucket = newBucket(rate, 0);
        let nowMs = 0;
        let forwardMs = 0;
        let taken = 0;
        for (const pause of pauses) {
          nowMs += pause;
          forwardMs += Math.max(0, pause);
          if (take(bucket, rate, nowMs)) taken += 1;
        }
        expect(taken).toBeLessThanOrEqual(rate.burst + (forwardMs * rate.perSecond) / 1000 + 1e-6);
        expect(take(bucket, rate, nowMs + 1_000)).toBe(true);
      }),
      { seed: 3 },
    );
  });
});
