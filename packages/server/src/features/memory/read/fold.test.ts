import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type TestPlatform, testPlatform } from "../../../testing/platform.ts";
import { fold, wordsOf } from "./fold.ts";
import { limits } from "./limits.ts";

let test: TestPlatform;
beforeAll(async () => {
  test = await testPlatform();
});
afterAll(() => test?.stop());

const inPostgres = async (texts: readonly string[]) =>
  (
    await test.platform.database.query<{ folded: string; known: boolean }>(
      `select ambit.memory_fold(t) as folded, unicode_assigned(t) as known
       from unnest($1::text[]) with ordinality as given (t, n) order by n`,
      [texts],
    )
  ).map(({ folded, known }) => ({ folded, known }));

describe("text as search compares it", () => {
  it("is the same here and in Postgres for every character both know, alone and within a word", async () => {
    const characters: string[] = [];
    for (let code = 1; code < 0x11_0000; code++) {
      const character = String.fromCodePoint(code);
      if (!/[\p{Cn}\p{Co}\p{Cs}]/u.test(character)) characters.push(character);
    }
    const wrong: string[] = [];
    for (let at = 0; at < characters.length; at += 60_000) {
      const texts = characters.slice(at, at + 60_000).flatMap((each) => [each, `a${each}b`]);
      for (const [index, { folded, known }] of (await inPostgres(texts)).entries()) {
        if (known && folded !== fold(texts[index]!)) wrong.push(texts[index]!);
      }
    }
    expect(wrong).toEqual([]);
    expect(characters.length).toBeGreaterThan(100_000);
  });

  it("has neither case, accents, width, punctuation nor the forms of one letter", () => {
    const folded = [
      ["José's Ünïcode—naïve", "jose s unicode naive"],
      ["ŁÓDŹ Straße ÆSIR œuvre", "lodz strasse aesir oeuvre"],
      ["ΣΊΣΥΦΟΣ σίσυφος", "σισυφοσ σισυφοσ"],
      ["Ｆｕｌｌ ﬁnance x²", "full finance x2"],
      ["jane.doe@acme-corp.com", "jane doe acme corp com"],
      ["İstanbul ISPARTA", "istanbul isparta"],
    ] as const;
    for (const [text, words] of folded) expect(wordsOf(text, 64).join(" ")).toBe(words);
    expect(wordsOf("東京タワー", 64)).toEqual(["東", "京", "タ", "ワ", "ー"]);
  });

  it("folded twice is folded once, and words are nothing but letters and digits to the index", async () => {
    const text = fc.string({ unit: "binary", maxLength: 60 }).filter((each) => !each.includes("\0"));
    fc.assert(
      fc.property(text, (given) => {
        expect(fold(fold(given))).toBe(fold(given));
        for (const word of wordsOf(given, limits.wordChars)) {
          expect(word).not.toMatch(/[\s'"\\:&|!()<>*/]/);
          expect([...word].length).toBeLessThanOrEqual(limits.wordChars);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it("is indexed word for word", async () => {
    const text = fc.string({ unit: "grapheme", maxLength: 40 }).filter((each) => !each.includes("\0"));
    const { database } = test.platform;
    await fc.assert(
      fc.asyncProperty(text, text, async (title, body) => {
        const [row] = await database.query<{ words: string[] }>(
          "select tsvector_to_array(ambit.memory_vector($1, 'learning', null, $2, $3)) as words",
          [test.organizationId, title, body],
        );
        const titleWords = wordsOf(title, limits.wordChars);
        const expected = [
          ...titleWords.flatMap((word) => [word, `/t/${word}`]),
          ...wordsOf(body, limits.wordChars),
          ...[`/o/${test.organizationId.slice(0, 8)}`, "/k/learning"],
        ];
        const known = await inPostgres([title, body]);
        if (known.every((each) => each.known))
          expect(row!.words.sort()).toEqual([...new Set(expected)].sort());
      }),
      { numRuns: 300 },
    );
  });
});
