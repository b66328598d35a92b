import { DESTRUCTIVE, EXECUTE, FINANCIAL, READ, TOGETHER, WRITE } from "./lexicon.ts";
import { limits } from "./limits.ts";

/**
 * The words of a tool's or action's name in lower case: from camelCase, snake_case, kebab-case, dots and slashes; words
 * that mean something else together are one. Pure.
 */
export function wordsOf(name: string): string[] {
  const apart = name
    .slice(0, limits.nameChars)
    .normalize("NFKC")
    .replace(/(\p{Lu}+)(\p{Lu}\p{Ll})/gu, "$1 $2")
    .replace(/([\p{Ll}\p{Nd}])(\p{Lu})/gu, "$1 $2")
    .toLowerCase();
  const single = apart.split(/[^\p{L}\p{Nd}]+/u).filter((word) => word !== "");
  const words: string[] = [];
  for (let at = 0; at < single.length; at += 1) {
    const pair = `${single[at]} ${single[at + 1]}`;
    const meaning = Object.hasOwn(TOGETHER, pair) ? TOGETHER[pair]! : undefined;
    if (meaning === undefined) words.push(uncovered(single[at]!));
    else {
      words.push(...meaning.split(" "));
      at += 1;
    }
  }
  return words;
}

/** Verbs that are looked for at the beginning of words nobody knows: `deletefile`. */
const COVERED = [
  ...[...DESTRUCTIVE].filter((verb) => verb.length >= 5 && verb !== "empty" && verb !== "clear"),
  ...["execute", "evaluate", "invoke", "transfer", "refund", "purchase", "create", "update"],
];
/** What makes another word of a verb: `deleted`, `installation`. */
const ENDINGS =
  /^(?:d|s|r|n|rs|ed|red|der|er|ers|or|ors|ing|ting|ion|ions|ation|ations|able|ment|ments|al|als|ance|ances|ful)$/;

function uncovered(word: string): string {
  if (isVerb(word)) return word;
  const verb = COVERED.find((each) => word.startsWith(each) && !ENDINGS.test(word.slice(each.length)));
  return verb ?? word;
}

export const isVerb = (word: string): boolean =>
  [READ, WRITE, EXECUTE, DESTRUCTIVE, FINANCIAL].some((verbs) => verbs.has(word));

/** The verb that a word of a sentence is a form of: `Deletes`, `deleting`; null for other words. */
export function baseForm(word: string): string | null {
  const lower = word.toLowerCase();
  const stems = [lower];
  if (lower.endsWith("ies")) stems.push(`${lower.slice(0, -3)}y`);
  if (lower.endsWith("es")) stems.push(lower.slice(0, -2));
  if (lower.endsWith("s")) stems.push(lower.slice(0, -1));
  if (lower.endsWith("ing")) {
    const stem = lower.slice(0, -3);
    stems.push(stem, `${stem}e`, stem.replace(/(.)\1$/, "$1"));
  }
  return stems.find((stem) => stem.length > 1 && isVerb(stem)) ?? null;
}
