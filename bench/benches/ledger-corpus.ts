import { createHash } from "node:crypto";

/** Numbers between 0 and 1, the same for the same seed. */
export function randomFrom(seed: string): () => number {
  let block = createHash("sha256").update(seed).digest();
  let at = 0;
  return () => {
    if (at + 4 > block.length) {
      block = createHash("sha256").update(block).digest();
      at = 0;
    }
    at += 4;
    return block.readUInt32LE(at - 4) / 2 ** 32;
  };
}

const BEGINNINGS = "b br c ch d dr f fl g gr h j k l m n p pl pr qu r s sh sl st t tr v w z".split(" ");
const MIDDLES = "a e i o u ai ea io ou".split(" ");
const ENDS = ["", "n", "r", "s", "t", "l", "m", "nd", "st", "ng", "ck", "x"];
/** So many of the commonest words have one syllable. */
const SHORT = 300;

/** Words that can be told apart and misspelt as real ones can; the commonest, which are the first, are short. */
export function vocabularyOf(size: number, random: () => number): string[] {
  const pick = (list: readonly string[]) => list[Math.floor(random() * list.length)]!;
  const words = new Set<string>();
  while (words.size < size) {
    const syllables = words.size < SHORT ? 1 : 1 + Math.floor(random() * 3.2);
    words.add(
      Array.from({ length: syllables }, () => pick(BEGINNINGS) + pick(MIDDLES) + pick(ENDS)).join(""),
    );
  }
  return [...words];
}

/** Draws places of a vocabulary as words are drawn in real text: the n-th is about 1/n as common as the first. */
export function zipf(size: number, random: () => number): () => number {
  const sums = new Float64Array(size);
  let sum = 0;
  for (let place = 0; place < size; place += 1) {
    sum += 1 / (place + 2.7) ** 1.05;
    sums[place] = sum;
  }
  return () => {
    const drawn = random() * sum;
    let [low, high] = [0, size - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sums[middle]! < drawn) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}

/** One of the list, each as often in a hundred times as its share says; undefined for what is left of the hundred. */
export function drawn<T extends { readonly share: number }>(
  list: readonly T[],
  random: () => number,
): T | undefined {
  let left = random() * 100;
  return list.find(({ share }) => {
    left -= share;
    return left < 0;
  });
}

/** A record as the memory keeps it, without what a search does not look at. */
export interface CorpusRecord {
  readonly nth: number;
  readonly id: string;
  readonly kind: string;
  readonly title: string;
  readonly body: string;
}

/** Of a hundred records so many are of this kind, with so many words at least and at most. */
const KINDS = [
  { kind: "entity", prefix: "ent", share: 40, least: 6, most: 12 },
  { kind: "decision", prefix: "dec", share: 16, least: 30, most: 90 },
  { kind: "commitment", prefix: "com", share: 16, least: 20, most: 60 },
  { kind: "learning", prefix: "lrn", share: 10, least: 40, most: 120 },
  { kind: "source_artifact", prefix: "art", share: 18, least: 120, most: 240 },
] as const;
/** One source artifact in so many is a long document. */
const LONG_EVERY = 20;
const LONG_WORDS = 1_500;

export function recordFrom(nth: number, word: () => string, random: () => number): CorpusRecord {
  const kind = drawn(KINDS, random) ?? KINDS[0];
  const words = (count: number) => Array.from({ length: count }, word).join(" ");
  const long = kind.kind === "source_artifact" && nth % LONG_EVERY === 0;
  const length = long ? LONG_WORDS : kind.least + Math.floor(random() * (kind.most - kind.least));
  const title = words(kind.kind === "entity" ? 2 : 5 + Math.floor(random() * 5));
  const address = kind.kind === "entity" ? `${title.replace(" ", ".")}@${word()}.example\n` : "";
  return {
    nth,
    id: `${kind.prefix}_${String(nth).padStart(26, "0")}`,
    kind: kind.kind,
    title,
    body: address + words(length),
  };
}

/** The word with one slip in it. */
export function misspelt(word: string, random: () => number): string {
  const at = Math.floor(random() * word.length);
  const [before, after] = [word.slice(0, at), word.slice(at)];
  const letter = String.fromCharCode(97 + Math.floor(random() * 26));
  const slips = [
    before + after.slice(1),
    before + letter + after,
    before + letter + after.slice(1),
    before + (after[1] ?? "") + after[0]! + after.slice(2),
  ];
  return slips[Math.floor(random() * slips.length)]!;
}
