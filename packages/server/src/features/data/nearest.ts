/** Edits (insert, delete, replace, swap neighbours) from one word to another. */
function distance(from: string, to: string): number {
  let before: number[] = [];
  let previous = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i++) {
    const row = [i];
    for (let j = 1; j <= to.length; j++) {
      const same = from[i - 1] === to[j - 1];
      let best = Math.min(row[j - 1]! + 1, previous[j]! + 1, previous[j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1]) {
        best = Math.min(best, before[j - 2]! + 1);
      }
      row.push(best);
    }
    before = previous;
    previous = row;
  }
  return previous[to.length]!;
}

/** How far apart two names may be to count as a slip: a third of the longer one. */
const TOLERANCE = 1 / 3;

/** A name longer than this is not compared: no identifier of Postgres is. */
const LONGEST = 63;

/** The names that `wanted` may have been meant to be, nearest first, at most `most`. */
export function nearestNames(wanted: string, names: Iterable<string>, most = 3): string[] {
  if (wanted.length > LONGEST) return [];
  const plain = (name: string) => name.toLowerCase().replaceAll(/[_\- ]/g, "");
  const target = plain(wanted);
  const found: { name: string; far: number }[] = [];
  for (const name of names) {
    const candidate = plain(name);
    const contained = target.length > 2 && (candidate.includes(target) || target.includes(candidate));
    const far = distance(target, candidate);
    if (contained || far <= Math.max(1, Math.max(target.length, candidate.length) * TOLERANCE)) {
      found.push({ name, far });
    }
  }
  found.sort((a, b) => a.far - b.far || (a.name < b.name ? -1 : 1));
  return found.slice(0, most).map(({ name }) => name);
}
