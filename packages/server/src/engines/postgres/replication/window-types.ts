import type { Transaction } from "./transactions.ts";

/** The last part of the log this node has read, kept so that readers can come back to a place in it. */
export interface LogWindow {
  /** Everything that committed at this position or later is here; null before the first transaction can be promised. */
  readonly from: bigint | null;
  /** The last position read: what committed before it has been taken. */
  readonly to: bigint;
  /** Changes whenever positions of before mean nothing any more (a slot made anew, another database). */
  readonly epoch: string;
  /**
   * Transactions (or parts) that hold anything of this app's schema, or messages, and that committed at `after` or
   * later, oldest first; null if the window does not reach back to it.
   */
  since(schema: string, after: bigint): readonly Transaction[] | null;
}
