import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createEntryIds, lowestIdAt } from "./entry-ids.ts";

describe("ids of entries", () => {
  it("grow, within a millisecond too, and lie between the bounds of their times", () => {
    const steps = fc.array(fc.constantFrom(0, 0, 0, 1, 2, 1_000), { maxLength: 300 });
    fc.assert(
      fc.property(steps, fc.integer({ min: 0, max: 2 ** 45 }), (waits, startMs) => {
        const next = createEntryIds();
        let [nowMs, last] = [startMs, ""];
        for (const wait of waits) {
          nowMs += wait;
          const id = next(nowMs);
          expect(id).toMatch(/^led_[0-9a-hjkmnp-tv-z]{26}$/);
          expect(id > last).toBe(true);
          expect(id >= lowestIdAt(nowMs) && id < lowestIdAt(nowMs + 1)).toBe(true);
          last = id;
        }
      }),
      { numRuns: 200 },
    );
  });
});
