import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { nearest, oneSlipAway, slipsBetween } from "./near-words.ts";

/** The definition, word for word: fewest edits, an exchange of neighbours counts as one, nothing is edited twice. */
function slowSlips(a: string, b: string): number {
  const table = new Map<string, number>();
  const at = (i: number, j: number): number => {
    const key = `${i} ${j}`;
    const known = table.get(key);
    if (known !== undefined) return known;
    const options = [i === 0 && j === 0 ? 0 : Number.POSITIVE_INFINITY];
    if (i > 0) options.push(at(i - 1, j) + 1);
    if (j > 0) options.push(at(i, j - 1) + 1);
    if (i > 0 && j > 0) options.push(at(i - 1, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1));
    if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) options.push(at(i - 2, j - 2) + 1);
    const least = Math.min(...options);
    table.set(key, least);
    return least;
  };
  return at(a.length, b.length);
}

const word = fc.string({ unit: fc.constantFrom("a", "b", "c", "d"), minLength: 1, maxLength: 8 });

describe("slips", () => {
  it("are counted as they are defined, up to the most that matter", () => {
    fc.assert(
      fc.property(word, word, fc.integer({ min: 0, max: 3 }), (a, b, most) => {
        expect(slipsBetween(a, b, most)).toBe(Math.min(slowSlips(a, b), most + 1));
      }),
      { numRuns: 3_000 },
    );
  });

  it("one slip away are exactly the words one slip away, in the letters of the script", () => {
    fc.assert(
      fc.property(word, word, (a, b) => {
        expect(oneSlipAway(a).has(b)).toBe(slowSlips(a, b) === 1);
        for (const near of oneSlipAway(a)) expect(slowSlips(a, near)).toBe(1);
      }),
      { numRuns: 300 },
    );
    for (const [typed, meant] of [
      ["договр", "договор"],
      ["σισυφσ", "σισυφοσ"],
      ["commitmnet", "commitment"],
      ["acmee", "acme"],
    ] as const) {
      expect(oneSlipAway(typed)).toContain(meant);
    }
    expect(oneSlipAway("東京").size).toBeLessThan(20);
  });
});

describe("the nearest words", () => {
  const known = (word: string, documents: number) => ({ word, documents, titles: 0 });

  it("come by slips, then by how common they are; the word itself and further ones are not among them", () => {
    const words = [
      known("acne", 5),
      known("acme", 50),
      known("acmes", 500),
      known("acmee", 1),
      known("zebra", 9),
    ];
    expect(nearest("acmee", words, 1, 6).map(({ word }) => word)).toEqual(["acmes", "acme"]);
    expect(nearest("acmee", words, 2, 6).map(({ word }) => word)).toEqual(["acmes", "acme", "acne"]);
    expect(nearest("acmee", words, 2, 1)).toHaveLength(1);
  });
});
