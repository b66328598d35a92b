import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { limits } from "./limits.ts";
import { asksForLatest, type Match, parseQuery, wordCount } from "./query.ts";
import { densityText, indexText, termText, titleIndexText } from "./tsquery.ts";

const matches: Match[] = ["and", "or", "phrase", "prefix"];
const shown = (q: string, match: Match) =>
  parseQuery(q, match).terms.map((term) =>
    term.map(({ word, prefix }) => (prefix ? `${word}*` : word)).join(" "),
  );

describe("what a search text means", () => {
  it.each<[string, Match, string[]]>([
    ["Acme pricing", "and", ["acme", "pricing"]],
    ['"net revenue" Acme', "and", ["net revenue", "acme"]],
    ["pric* acme", "or", ["pric*", "acme"]],
    ["jane@acme.com", "and", ["jane acme com"]],
    ["jane@ac*", "and", ["jane ac*"]],
    ["net revenue grow*", "phrase", ["net revenue grow*"]],
    ['a "quoted" one', "phrase", ["a quoted one"]],
    ["Jo Sm", "prefix", ["jo*", "sm*"]],
    ['"unclosed words', "and", ["unclosed words"]],
    ["a* é*", "and", ["a", "e"]],
    ["acme ACME Acmé", "and", ["acme"]],
    ["!!! & | <-> ( ' :*", "and", []],
    ["東京 tower", "and", ["東 京", "tower"]],
  ])("%s (%s)", (q, match, expected) => {
    expect(shown(q, match)).toEqual(expected);
    expect(parseQuery(q, match).all).toBe(match !== "or");
  });

  it("nothing, and a star, ask for the latest", () => {
    for (const q of [undefined, "", "  ", "*", " * "]) expect(asksForLatest(q)).toBe(true);
    for (const q of ["a", "**", "!", '"']) expect(asksForLatest(q)).toBe(false);
  });

  it("whatever the text, only words reach the index, and nothing of them is lost", () => {
    const filter = { organizationId: "0".repeat(36), kinds: ["entity"], appId: "app_x" };
    const text = fc.oneof(
      fc.string({ unit: "binary", maxLength: 200 }),
      fc
        .array(fc.constantFrom('"', "*", "'", "\\", ":", "&", "|", "!", "<->", "(", ")", "ab", "é", " "))
        .map((parts) => parts.join("")),
    );
    fc.assert(
      fc.property(text, fc.constantFrom(...matches), (q, match) => {
        const query = parseQuery(q, match);
        expect(wordCount(query)).toBe(query.terms.flat().length);
        for (const { word, prefix } of query.terms.flat()) {
          expect(word).not.toMatch(/[\s'"\\:&|!()<>*/]/);
          expect(prefix && [...word].length < limits.prefixChars).toBe(false);
        }
        if (query.terms.length === 0) return;
        const lexeme = /'[^']*'(:\*?A?)?/g;
        for (const made of [
          indexText(query, new Map(), filter),
          titleIndexText(query, new Map(), filter),
          densityText(query, new Map()),
          ...query.terms.map((term) => termText(term, new Map(), "A")),
        ]) {
          expect(made.replace(lexeme, "").replace(/<->|[()&| ]/g, "")).toBe("");
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
