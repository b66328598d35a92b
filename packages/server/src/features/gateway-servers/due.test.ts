import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isDue, isForgettable, isFresh } from "./due.ts";
import { limits } from "./limits.ts";

const NOW = 1_000_000_000;
const quiet = { usedMs: 0, triedMs: 0, seenMs: 0, dirty: false };

describe("looking again", () => {
  it("is for servers in use, once a minute", () => {
    const used = { ...quiet, usedMs: NOW - limits.inUseMs + 1 };
    expect(isDue({ ...used, triedMs: NOW - limits.lookEveryMs }, NOW)).toBe(true);
    expect(isDue({ ...used, triedMs: NOW - limits.lookEveryMs + 1 }, NOW)).toBe(false);
    expect(isDue({ ...used, usedMs: NOW - limits.inUseMs }, NOW)).toBe(false);
    expect(isDue(quiet, NOW)).toBe(false);
  });

  it("is at once for a server that says its tools have changed, used or not, but not again and again", () => {
    const dirty = { ...quiet, dirty: true };
    expect(isDue({ ...dirty, triedMs: NOW - limits.looksApartMs }, NOW)).toBe(true);
    expect(isDue({ ...dirty, triedMs: NOW - limits.looksApartMs + 1 }, NOW)).toBe(false);
  });

  it("has to have shown the tools lately for a call to be judged by it", () => {
    expect(isFresh({ ...quiet, seenMs: NOW - limits.staleMs + 1 }, NOW)).toBe(true);
    expect(isFresh({ ...quiet, seenMs: NOW - limits.staleMs }, NOW)).toBe(false);
    expect(isFresh(quiet, NOW)).toBe(false);
  });

  it("is the same for a server that was forgotten as for one that was not", () => {
    const at = fc.integer({ min: NOW - 3 * limits.inUseMs, max: NOW });
    const watched = fc.record({ usedMs: at, triedMs: at, seenMs: at, dirty: fc.boolean() });
    fc.assert(
      fc.property(watched, (each) => {
        if (!isForgettable(each, NOW)) return;
        expect([isDue(each, NOW), isFresh(each, NOW)]).toEqual([isDue(quiet, NOW), isFresh(quiet, NOW)]);
      }),
      { seed: 3, numRuns: 1_000 },
    );
    expect(isForgettable({ ...quiet, dirty: true }, NOW)).toBe(false);
    expect(isForgettable(quiet, NOW)).toBe(true);
  });
});
