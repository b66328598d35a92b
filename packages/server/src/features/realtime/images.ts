import { UNCHANGED } from "../../engines/postgres/replication/pgoutput.ts";
import { changeFrame, type Frame, placeOf } from "./frames.ts";
import type { RowReader } from "./policies/types.ts";
import type { ChangeEntry } from "./queue.ts";
import type { Mask, Shape } from "./record.ts";
import type { Outcome } from "./visibility.ts";

/** Reads a logged row by column. */
export const readerOf =
  (row: ChangeEntry["new"], shape: Pick<Shape, "at">): RowReader =>
  (column) => {
    const at = shape.at(column);
    const value = at === undefined ? undefined : row?.[at];
    return value === UNCHANGED ? undefined : value;
  };

/** A change's rows as JSON and its frames, each made once however many connections get it. */
export class Images {
  readonly change: ChangeEntry;
  readonly old: RowReader | null;
  readonly new: RowReader | null;
  readonly #shape: Shape;
  readonly #texts = { old: new Map<Mask, string>(), new: new Map<Mask, string>() };
  readonly #frames = new Map<Mask, Map<string, Frame>>();

  constructor(change: ChangeEntry, shape: Shape) {
    this.change = change;
    this.#shape = shape;
    this.old = change.old === null ? null : readerOf(change.old, shape);
    this.new = change.new === null ? null : readerOf(change.new, shape);
  }

  /** What changed is not carried: that something changed is not to be told either. */
  looksUnchanged(mask: Mask): boolean {
    return mask !== null && this.#text("old", mask) === this.#text("new", mask);
  }

  /** The frame for those who carry these columns; `id` is the subscription's own. */
  frame(outcome: Outcome, mask: Mask, id: string | null): Frame {
    let frames = this.#frames.get(mask);
    if (frames === undefined) {
      frames = new Map();
      this.#frames.set(mask, frames);
    }
    const key = id === null ? outcome : `${outcome} ${id}`;
    let frame = frames.get(key);
    if (frame === undefined) {
      const { table, commit, index } = this.change;
      frame = changeFrame(
        { table, place: placeOf(commit.commitLsn, commit.commitTime, index) },
        { outcome, id },
        () => this.#text("new", mask),
        () => this.#text("old", mask),
      );
      frames.set(key, frame);
    }
    return frame;
  }

  #text(which: "old" | "new", mask: Mask): string {
    const texts = this.#texts[which];
    let text = texts.get(mask);
    if (text === undefined) {
      text = this.#shape.record(this.change[which]!, mask);
      texts.set(mask, text);
    }
    return text;
  }
}
