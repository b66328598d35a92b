import { type Frame, seqOf } from "./frames.ts";
import { limits } from "./limits.ts";
import type { ChangeEntry } from "./queue.ts";
import { isVisible } from "./settling.ts";

/** What of a change says where it stands. */
type Standing = Pick<ChangeEntry, "commit" | "index">;

/**
 * Stands before a subscription whose current rows are being read, and holds back what comes for it. When everything the
 * rows were read from has come through the log, it gives back what they did not contain.
 */
export class HoldBack {
  #held: { readonly frame: Frame; readonly change: Standing | null }[] = [];
  #bytes = 0;
  #overflown = false;

  /** Keeps a frame; `change` null: it is about no change. */
  take(frame: Frame, change: Standing | null): void {
    if (this.#overflown) return;
    this.#bytes += frame.length;
    if (this.#bytes > limits.heldBytes) {
      this.#overflown = true;
      this.#held = [];
    } else this.#held.push({ frame, change });
  }

  /** Frames were dropped: what is held is not all. */
  get overflown(): boolean {
    return this.#overflown;
  }

  /**
   * What was held back and is not in the rows of this snapshot; and the place of the last change that is in them, with
   * none before it that is not: null if there is no such.
   */
  open(snapshot: string): { readonly frames: Frame[]; readonly seq: string | null } {
    const frames: Frame[] = [];
    let seq: string | null = null;
    let beyond = false;
    for (const { frame, change } of this.#held) {
      if (change !== null && isVisible(change.commit.xid, snapshot)) {
        if (!beyond) seq = seqOf(change.commit.commitLsn, change.index);
      } else {
        frames.push(frame);
        beyond ||= change !== null;
      }
    }
    this.#held = [];
    return { frames, seq };
  }
}
