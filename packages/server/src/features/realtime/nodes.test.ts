import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { afterLook, type Known, type NodeChange } from "./nodes.ts";

const looks = fc.array(
  fc.record({
    seen: fc.uniqueArray(fc.constantFrom("a", "b", "c", "d")),
    patient: fc.boolean(),
  }),
  { maxLength: 40 },
);

describe("afterLook", () => {
  it("tells each coming and going once, and of nobody who was seen in this look or the one before", () => {
    fc.assert(
      fc.property(looks, (list) => {
        let known: Known = new Map();
        const there = new Set<string>();
        let before = new Set<string>();
        for (const { seen, patient } of list) {
          const now = new Set<string>(seen);
          const result: { known: Known; changes: NodeChange[] } = afterLook(known, now, patient);
          known = result.known;
          for (const { joined, left } of result.changes) {
            if (joined !== undefined) {
              expect(there.has(joined)).toBe(false);
              there.add(joined);
            }
            if (left !== undefined) {
              expect(patient || now.has(left) || before.has(left)).toBe(false);
              expect(there.delete(left)).toBe(true);
            }
          }
          for (const id of now) expect(there.has(id)).toBe(true);
          expect(new Set(known.keys())).toEqual(there);
          before = now;
        }
      }),
      { seed: 63, numRuns: 400 },
    );
  });

  it("calls a node gone that two looks in a row do not see", () => {
    const first = afterLook(new Map([["a", 0]]), new Set(), false);
    expect(first.changes).toEqual([]);
    expect(afterLook(first.known, new Set(), false).changes).toEqual([{ left: "a" }]);
    expect(afterLook(first.known, new Set(), true).changes).toEqual([]);
  });
});
