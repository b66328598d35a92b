/**
 * Numbers of entries that were not to be seen although a larger one was: their transactions are under way, or were
 * undone.
 */
export interface Gap {
  readonly from: number;
  readonly to: number;
  /**
   * Every transaction that can still fill the gap has a number below this. It is drawn after the gap was seen; a
   * transaction has its number before it draws that of an entry. null until it is drawn.
   */
  readonly until: bigint | null;
}

/** Which numbers of entries are dealt with: all up to `highSeq`, except for the gaps. */
export interface Progress {
  readonly highSeq: number;
  /** In order. */
  readonly gaps: readonly Gap[];
}

/** What one snapshot showed. */
export interface Seen {
  /** Numbers that have no place yet, in order: the smallest of those in gaps and beyond `highSeq`. */
  readonly seqs: readonly number[];
  /** There may be more than were fetched. */
  readonly cut: boolean;
  /** The lowest number of a transaction that was under way. */
  readonly oldest: bigint;
}

/**
 * What is dealt with once `seen.seqs` have their places, in that order. New gaps have no `until` yet. A gap is given up
 * when everyone who could have filled it has ended and the very same snapshot shows nothing in it. Pure.
 */
export function progressAfter(before: Progress, seen: Seen, mostGaps: number): Progress {
  const gaps: Gap[] = [];
  let at = 0;
  for (const gap of before.gaps) {
    const isOver = !seen.cut && gap.until !== null && seen.oldest >= gap.until;
    let from = gap.from;
    while (at < seen.seqs.length && seen.seqs[at]! < gap.from) at += 1;
    for (; at < seen.seqs.length && seen.seqs[at]! <= gap.to; at += 1) {
      if (!isOver && from < seen.seqs[at]!) gaps.push({ ...gap, from, to: seen.seqs[at]! - 1 });
      from = seen.seqs[at]! + 1;
    }
    if (!isOver && from <= gap.to) gaps.push({ ...gap, from });
  }
  let highSeq = before.highSeq;
  for (const seq of seen.seqs) {
    if (seq <= highSeq) continue;
    if (seq > highSeq + 1) gaps.push({ from: highSeq + 1, to: seq - 1, until: null });
    highSeq = seq;
  }
  return { highSeq, gaps: joined(gaps, mostGaps) };
}

/** Joins neighbours, the closest first, until there are no more than `most`. What lies between is looked at again. */
function joined(gaps: readonly Gap[], most: number): Gap[] {
  const kept = [...gaps];
  if (kept.length <= most) return kept;
  const holes = kept.slice(1).map((gap, at) => ({ at: at + 1, width: gap.from - kept[at]!.to }));
  const closed = new Set(
    holes
      .sort((one, other) => one.width - other.width)
      .slice(0, kept.length - most)
      .map(({ at }) => at),
  );
  const result: Gap[] = [];
  for (const [at, gap] of kept.entries()) {
    const last = result.at(-1);
    if (last !== undefined && closed.has(at))
      result[result.length - 1] = { ...last, to: gap.to, until: later(last.until, gap.until) };
    else result.push(gap);
  }
  return result;
}

/** null is drawn later than anything that is known. */
const later = (one: bigint | null, other: bigint | null): bigint | null =>
  one === null || other === null ? null : one > other ? one : other;
