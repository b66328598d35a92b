import type { LogMark } from "./anchor-store.ts";

export interface WindowBounds {
  /** How far back the log is to be kept. */
  readonly windowMs: number;
  /** Bytes of log kept for that at most. */
  readonly windowWalBytes: number;
}

/**
 * Where the anchor may move to, or null if it is to stay. Pure. What was written within `windowMs` is kept, unless it
 * is more than `windowWalBytes`. `marks` come in the order of the log.
 */
export function anchorTarget(
  { confirmed, end, nowMs }: { confirmed: bigint; end: bigint; nowMs: number },
  marks: readonly LogMark[],
  { windowMs, windowWalBytes }: WindowBounds,
): bigint | null {
  let target = end - BigInt(windowWalBytes);
  for (const { lsn, at } of marks) if (at.getTime() <= nowMs - windowMs && lsn > target) target = lsn;
  if (target > end) target = end;
  return target > confirmed ? target : null;
}
