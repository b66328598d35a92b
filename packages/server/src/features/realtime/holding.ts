import type { Frame } from "./frames.ts";
import { limits } from "./limits.ts";
import { isVisible } from "./settling.ts";

/**
 * Stands before a subscription whose current rows are being read. Until they have been sent it holds everything back;
 * then it lets through what they did not contain yet. `onOverflow` is called once when too much is held back.
 */
export class HoldBack {
  #held: { readonly frame: Frame; readonly xid: number | null }[] | null = [];
  #bytes = 0;
  #snapshot = "";
  #overflown = false;

  /** True: the frame is kept here, or is part of what was sent already. `xid` null: it is no change. */
  takes(frame: Frame, xid: number | null): boolean {
    if (this.#held === null) return xid !== null && isVisible(xid, this.#snapshot);
    if (this.#overflown) return true;
    this.#bytes += frame.length;
    if (this.#bytes > limits.heldBytes) {
      this.#overflown = true;
      this.#held = [];
    } else this.#held.push({ frame, xid });
    return true;
  }

  /** Frames were dropped: what is held is not all. */
  get overflown(): boolean {
    return this.#overflown;
  }

  /** The rows of this snapshot have been sent; gives what was held back and is not among them. */
  open(snapshot: string): Frame[] {
    const held = this.#held ?? [];
    this.#held = null;
    this.#bytes = 0;
    this.#snapshot = snapshot;
    return held.flatMap(({ frame, xid }) => (xid !== null && isVisible(xid, snapshot) ? [] : [frame]));
  }
}
