/** Marks that readers leave out when they type: accents, vowel points, joiners, variation selectors. */
const MARKS =
  // biome-ignore lint/suspicious/noMisleadingCharacterClass: marks by themselves are what is meant
  /[\u00ad\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670\u1ab0-\u1aff\u1dc0-\u1dff\u200b-\u200f\u2060\u20d0-\u20ff\ufe00-\ufe0f\ufe20-\ufe2f\ufeff]+/gu;

/** Characters of scripts that put no spaces between words. */
const UNSPACED =
  /[\u2e80-\u2fdf\u3005-\u3007\u3040-\u30fa\u30fc-\u30ff\u3400-\u9fff\uf900-\ufaff\u{20000}-\u{3ffff}]/gu;

/** What stands between words. */
const BETWEEN =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters stand between words too
  /[\u0000-\u002f\u003a-\u0060\u007b-\u00bf\u00d7\u00f7\u02b9-\u02ff\u055a-\u055f\u0589\u058a\u05be\u05c0\u05c3\u05c6\u05f3\u05f4\u060c\u061b\u061f\u066a-\u066d\u06d4\u0964\u0965\u2000-\u2bff\u2e00-\u2e7f\u3000-\u3004\u3008-\u303f\u30fb\ue000-\uf8ff\ufe10-\ufe6f\ufff0-\uffff\u{1f000}-\u{1ffff}\u{f0000}-\u{10ffff}]+/gu;

/** Letters that no decomposition makes plain. */
const PLAIN: Readonly<Record<string, string>> = {
  ς: "σ",
  ı: "i",
  ø: "o",
  ł: "l",
  đ: "d",
  ħ: "h",
  ß: "ss",
  æ: "ae",
  œ: "oe",
};

/**
 * Text as search compares it: without case, accents, width and punctuation, words apart by single spaces. Pure, and the
 * same as `ambit.memory_fold` in migrations/002-search.sql, which does it to what is stored.
 */
export function fold(text: string): string {
  return text
    .normalize("NFKD")
    .toLowerCase()
    .replace(MARKS, "")
    .replace(/[ςıøłđħßæœ]/g, (letter) => PLAIN[letter]!)
    .replace(UNSPACED, " $& ")
    .replace(BETWEEN, " ");
}

/** The words of a text as they are indexed; never empty ones. */
export function wordsOf(text: string, wordChars: number): string[] {
  return fold(text)
    .split(" ")
    .filter((word) => word !== "")
    .map((word) => [...word].slice(0, wordChars).join(""));
}
