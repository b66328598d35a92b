/** Letters of each script by which a word may have been misspelt. */
const ALPHABETS = ["az", "ая", "αω", "את", "ءي", "աֆ", "აჰ"].map(([first, last]) => {
  const letters: string[] = [];
  for (let at = first!.codePointAt(0)!; at <= last!.codePointAt(0)!; at++)
    letters.push(String.fromCodePoint(at));
  return letters;
});

/** The letters that may be missing from the word or stand wrongly in it: those of its script. Pure. */
function lettersFor(word: readonly string[]): readonly string[] {
  const own = new Set(word);
  const alphabet = ALPHABETS.find((letters) => letters.some((letter) => own.has(letter))) ?? [];
  return [...new Set([...alphabet, ...own])];
}

/**
 * Every text one slip away from the word: a letter too many, one missing, one wrong, or two exchanged. Pure; holds
 * neither the word itself nor the empty text.
 */
export function oneSlipAway(word: string): Set<string> {
  const chars = [...word];
  const letters = lettersFor(chars);
  const found = new Set<string>();
  for (let at = 0; at <= chars.length; at++) {
    const before = chars.slice(0, at).join("");
    const after = chars.slice(at).join("");
    const rest = chars.slice(at + 1).join("");
    for (const letter of letters) found.add(before + letter + after);
    if (at === chars.length) break;
    found.add(before + rest);
    for (const letter of letters) found.add(before + letter + rest);
    if (at + 1 < chars.length) found.add(before + chars[at + 1] + chars[at] + chars.slice(at + 2).join(""));
  }
  found.delete(word);
  found.delete("");
  return found;
}

/**
 * How many slips lead from one word to the other, no letter touched twice (optimal string alignment); `most + 1` for
 * anything beyond `most`. Pure.
 */
export function slipsBetween(one: string, other: string, most: number): number {
  const a = [...one];
  const b = [...other];
  if (Math.abs(a.length - b.length) > most) return most + 1;
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let least = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        least = Math.min(least, beforeLast[j - 2]! + 1);
      row.push(least);
    }
    if (Math.min(...row) > most) return most + 1;
    [beforeLast, last] = [last, row];
  }
  return Math.min(last[b.length]!, most + 1);
}

/** A word there is, how many records have it, and how many of those in their title. */
export interface KnownWord {
  readonly word: string;
  readonly documents: number;
  readonly titles: number;
}

/** The known words that the word most likely was meant to be, likeliest first: fewest slips, then commonest. Pure. */
export function nearest(word: string, known: readonly KnownWord[], slips: number, most: number): KnownWord[] {
  return [...new Map(known.map((each) => [each.word, each])).values()]
    .map((each) => ({ ...each, slips: slipsBetween(word, each.word, slips) }))
    .filter((each) => each.slips > 0 && each.slips <= slips)
    .sort((a, b) => a.slips - b.slips || b.documents - a.documents || (a.word < b.word ? -1 : 1))
    .slice(0, most);
}
