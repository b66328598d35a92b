import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { limits } from "./limits.ts";
import { RecentIds, Sequence } from "./sequence.ts";

describe("the order of entries", () => {
  it("is judged as by a list of all numbers that came", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(30), { maxLength: 60 }), (numbers) => {
        const sequence = new Sequence();
        const came = new Set<number>();
        for (const number of numbers) {
          const largest = Math.max(-1, ...came);
          const late = came.has(number) ? "again" : "late";
          const expected = number === largest + 1 ? "next" : number > largest ? "ahead" : late;
          expect(sequence.take(number)).toBe(expected);
          came.add(number);
        }
        const missing: number[] = [];
        for (let number = 0; number < sequence.expected; number++)
          if (!came.has(number)) missing.push(number);
        const told = sequence.gaps.flatMap(([from, to]) =>
          Array.from({ length: to - from + 1 }, (_, at) => from + at),
        );
        expect(sequence.expected).toBe(Math.max(-1, ...came) + 1);
        expect(told).toEqual(missing);
      }),
      { numRuns: 1_000, seed: 4 },
    );
  });

  it("takes no more memory for more disorder", () => {
    const sequence = new Sequence();
    sequence.take(1_000_000);
    for (let number = 10; number < 100_000; number += 10) sequence.take(number);
    for (let number = 1_000_002; number < 1_100_000; number += 2) sequence.take(number);
    expect(sequence.gaps.length).toBe(limits.gaps);
  });
});

describe("ids", () => {
  it("are recognised among the latest", () => {
    const ids = new RecentIds();
    const all = Array.from({ length: 5 * limits.rememberedIds }, (_, at) => `id ${at}`);
    expect(all.filter((id) => ids.take(id))).toEqual([]);
    expect(all.slice(-limits.rememberedIds).every((id) => ids.take(id))).toBe(true);
    expect(ids.take("id 0")).toBe(false);
  });
});
