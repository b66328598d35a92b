import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { carries, outcomeOf } from "./visibility.ts";

describe("outcomeOf", () => {
  it.each([
    ["insert", false, true, "insert"],
    ["insert", true, false, null],
    ["update", true, true, "update"],
    ["update", false, true, "enter"],
    ["update", true, false, "leave"],
    ["update", false, false, null],
    ["delete", true, false, "delete"],
    ["delete", false, true, null],
  ] as const)("%s seen before: %s, after: %s → %s", (kind, before, after, outcome) => {
    expect(outcomeOf(kind, before, after)).toBe(outcome);
  });

  it("never carries a row that is out of view, and keeps a copy equal to the view", () => {
    const kinds = fc.constantFrom("insert", "update", "delete");
    fc.assert(
      fc.property(fc.array(fc.tuple(kinds, fc.boolean())), (history) => {
        let exists = false;
        let inView = false;
        let copy = false;
        for (const [kind, visible] of history) {
          if (exists === (kind === "insert")) continue;
          const after = kind !== "delete" && visible;
          const outcome = outcomeOf(kind, inView, after);
          if (outcome !== null) {
            expect(carries[outcome].old && !inView).toBe(false);
            expect(carries[outcome].new && !after).toBe(false);
            copy = carries[outcome].new;
          }
          exists = kind !== "delete";
          inView = after;
          expect(copy).toBe(inView);
        }
      }),
    );
  });
});
