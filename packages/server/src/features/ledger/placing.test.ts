import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Gap, type Progress, progressAfter, type Seen } from "./placing.ts";

interface ModelTransaction {
  readonly xid: bigint;
  readonly seqs: number[];
  state: "running" | "committed" | "undone";
}

/** Transactions, numbers and snapshots as Postgres has them, and a sequencer that takes a step at a time. */
class World {
  readonly transactions: ModelTransaction[] = [];
  readonly placed: number[] = [];
  /** For each number, those that were committed before it was drawn. */
  readonly committedBefore = new Map<number, number[]>();
  progress: Progress = { highSeq: 0, gaps: [] };
  pending: { seen: Seen; progress: Progress } | null = null;
  #nextXid = 700n;
  #latestEnded = 699n;
  #nextSeq = 1;
  readonly #mostSeen: number;
  readonly #mostGaps: number;

  constructor(mostSeen: number, mostGaps: number) {
    this.#mostSeen = mostSeen;
    this.#mostGaps = mostGaps;
  }

  running = () => this.transactions.filter(({ state }) => state === "running");
  committed = () =>
    this.transactions.filter(({ state }) => state === "committed").flatMap(({ seqs }) => seqs);

  begin(): void {
    this.transactions.push({ xid: this.#nextXid++, seqs: [], state: "running" });
  }
  draw(which: number, count: number): void {
    const transaction = this.running()[which % Math.max(1, this.running().length)];
    for (let drawn = 0; transaction !== undefined && drawn < count; drawn += 1) {
      this.committedBefore.set(this.#nextSeq, this.committed());
      transaction.seqs.push(this.#nextSeq++);
    }
  }
  end(which: number, state: "committed" | "undone"): void {
    const transaction = this.running()[which % Math.max(1, this.running().length)];
    if (transaction === undefined) return;
    transaction.state = state;
    if (transaction.xid > this.#latestEnded) this.#latestEnded = transaction.xid;
  }

  /** Reads one snapshot. */
  look(): void {
    const within = ({ from, to }: Gap, seq: number) => from <= seq && seq <= to;
    const { highSeq, gaps } = this.progress;
    const unplaced = this.committed()
      .filter((seq) => !this.placed.includes(seq))
      .filter((seq) => seq > highSeq || gaps.some((gap) => within(gap, seq)))
      .sort((a, b) => a - b);
    const seqs = unplaced.slice(0, this.#mostSeen);
    const oldest = this.running().reduce((low, { xid }) => (xid < low ? xid : low), this.#latestEnded + 1n);
    const seen = { seqs, cut: seqs.length === this.#mostSeen, oldest };
    this.pending = { seen, progress: progressAfter(this.progress, seen, this.#mostGaps) };
  }
  /** Writes down what the last look came to; much may have happened since. */
  place(): void {
    if (this.pending === null) return;
    const { seen, progress } = this.pending;
    this.pending = null;
    let xid: bigint | null = null;
    if (seen.seqs.length > 0) {
      xid = this.#nextXid++;
      if (xid > this.#latestEnded) this.#latestEnded = xid;
    }
    this.placed.push(...seen.seqs);
    this.progress = { ...progress, gaps: progress.gaps.map((gap) => ({ ...gap, until: gap.until ?? xid })) };
  }
}

const step = fc.record({
  what: fc.constantFrom("begin", "draw", "draw", "commit", "undo", "look", "place", "round", "round"),
  which: fc.nat(3),
  count: fc.integer({ min: 1, max: 2 }),
});

describe("placing", () => {
  it("places every committed entry once, in an order nobody can contradict, whatever overlaps", () => {
    fc.assert(
      fc.property(
        fc.array(step, { minLength: 20, maxLength: 120, size: "max" }),
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 4 }),
        (steps, mostSeen, mostGaps) => {
          const world = new World(mostSeen, mostGaps);
          for (const { what, which, count } of steps) {
            if (what === "begin") world.begin();
            else if (what === "draw") world.draw(which, count);
            else if (what === "commit") world.end(which, "committed");
            else if (what === "undo") world.end(which, "undone");
            if (what === "look" || what === "round") world.look();
            if (what === "place" || what === "round") world.place();
            expect(world.progress.gaps.length).toBeLessThanOrEqual(mostGaps);
          }
          while (world.running().length > 0) world.end(0, "undone");
          const left = () => world.committed().length - world.placed.length;
          for (let round = 0, calm = 0; calm < 3; round += 1) {
            expect(round).toBeLessThan(500);
            calm = left() > 0 ? 0 : calm + 1;
            world.place();
            world.look();
            world.place();
          }
          expect([...world.placed].sort((a, b) => a - b)).toEqual(world.committed().sort((a, b) => a - b));
          expect(world.progress.gaps).toEqual([]);
          const placeOf = new Map(world.placed.map((seq, place) => [seq, place]));
          for (const seq of world.placed)
            for (const earlier of world.committedBefore.get(seq)!)
              expect(placeOf.get(earlier)).toBeLessThan(placeOf.get(seq)!);
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it("keeps a gap while someone who could fill it is under way, although younger transactions have ended", () => {
    const gap: Gap = { from: 5, to: 6, until: 720n };
    const before: Progress = { highSeq: 9, gaps: [gap] };
    const at = (oldest: bigint, seqs: number[] = []) =>
      progressAfter(before, { seqs, cut: false, oldest }, 100).gaps;
    expect(at(719n)).toEqual([gap]);
    expect(at(720n)).toEqual([]);
    expect(at(719n, [5])).toEqual([{ ...gap, from: 6 }]);
    expect(progressAfter(before, { seqs: [], cut: true, oldest: 720n }, 100).gaps).toEqual([gap]);
  });

  it("follows neighbouring gaps as one when there are too many, as long as the last of them lives", () => {
    const gaps: Gap[] = [
      { from: 2, to: 2, until: 10n },
      { from: 4, to: 4, until: 30n },
      { from: 50, to: 60, until: 20n },
    ];
    const { gaps: kept } = progressAfter({ highSeq: 70, gaps }, { seqs: [], cut: false, oldest: 1n }, 2);
    expect(kept).toEqual([{ from: 2, to: 4, until: 30n }, gaps[2]]);
  });
});
