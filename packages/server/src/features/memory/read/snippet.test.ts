import fc from "fast-check";
import { expect, it } from "vitest";
import { fold } from "./fold.ts";
import { snippetOf } from "./snippet.ts";

it("is a piece of the text with the first of the words in it, never much longer than asked for", () => {
  const filler = fc.array(fc.stringMatching(/^[a-y]{1,12}$/), { minLength: 0, maxLength: 120 });
  fc.assert(
    fc.property(filler, filler, fc.integer({ min: 40, max: 240 }), (before, after, chars) => {
      const text = [...before, "Zürich", ...after].join(" ");
      const snippet = snippetOf(text, ["zurich"], chars);
      expect(snippet.length).toBeLessThanOrEqual(chars + 80);
      expect(fold(snippet)).toContain("zurich");
      expect(text).toContain(snippet.replaceAll("…", ""));
      expect(snippet.startsWith("…")).toBe(!text.startsWith(snippet.replaceAll("…", "").slice(0, 20)));
    }),
  );
});

it("of any text is Unicode, and of a short one the text", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 400 }), fc.string(), (text, word) => {
      expect(snippetOf(text, [fold(word), "a*"], 50).isWellFormed()).toBe(true);
    }),
    { numRuns: 1_000 },
  );
  expect(snippetOf("  short\n\ttext ", ["x"], 50)).toBe("short text");
  expect(snippetOf(`${"x ".repeat(200)}pricing`, ["pric*"], 50)).toContain("pricing");
});
