/** A pattern of LIKE, read: each part is a text that stands for itself, any one character, or any number of them. */
export type LikePattern = readonly (string | typeof ONE | typeof MANY)[];

const ONE = 1;
const MANY = 2;

/** Reads a pattern of LIKE; null when it ends in the middle of an escape, which Postgres refuses on some rows only. */
export function readLike(pattern: string): LikePattern | null {
  const parts: (string | typeof ONE | typeof MANY)[] = [];
  const characters = [...pattern];
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at]!;
    if (character === "%") {
      if (parts.at(-1) !== MANY) parts.push(MANY);
    } else if (character === "_") parts.push(ONE);
    else if (character === "\\") {
      const escaped = characters[++at];
      if (escaped === undefined) return null;
      parts.push(escaped);
    } else parts.push(character);
  }
  return parts;
}

/**
 * Whether the whole text is as the pattern says; characters are code points. Takes time in proportion to both lengths
 * multiplied at worst, which is for the caller to bound.
 */
export function isLike(text: string, pattern: LikePattern): boolean {
  let at = 0;
  let part = 0;
  // Where to go on when what follows the last MANY does not fit: one character later than the last time.
  let manyPart = -1;
  let manyAt = 0;
  while (at < text.length) {
    const wanted = pattern[part];
    const length = characterLength(text, at);
    if (wanted === MANY) {
      manyPart = part++;
      manyAt = at;
    } else if (wanted === ONE || (wanted !== undefined && text.startsWith(wanted, at))) {
      part += 1;
      at += length;
    } else if (manyPart >= 0) {
      manyAt += characterLength(text, manyAt);
      at = manyAt;
      part = manyPart + 1;
    } else return false;
  }
  while (pattern[part] === MANY) part += 1;
  return part === pattern.length;
}

const characterLength = (text: string, at: number): number => (text.codePointAt(at)! > 0xffff ? 2 : 1);
