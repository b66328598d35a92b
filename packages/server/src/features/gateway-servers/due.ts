import { limits } from "./limits.ts";

/** When something last happened with a server on this node, in milliseconds since the epoch; 0: never. */
export interface Watched {
  readonly usedMs: number;
  /** The last look began. */
  readonly triedMs: number;
  /** The last look that showed its tools began; 0 also when it has said since that they have changed. */
  readonly seenMs: number;
  /** It has said since that its tools have changed. */
  readonly dirty: boolean;
}

/** Whether a server is to be looked at again now. Pure. */
export function isDue({ usedMs, triedMs, dirty }: Watched, nowMs: number): boolean {
  if (dirty) return nowMs - triedMs >= limits.looksApartMs;
  return nowMs - usedMs < limits.inUseMs && nowMs - triedMs >= limits.lookEveryMs;
}

/** Whether a server's tools were seen so lately that a call may be judged by it. Pure. */
export const isFresh = ({ seenMs }: Watched, nowMs: number): boolean => nowMs - seenMs < limits.staleMs;

/** Whether nothing is lost when all this is forgotten: it is as if the server had never been used here. Pure. */
export const isForgettable = (watched: Watched, nowMs: number): boolean =>
  !watched.dirty && nowMs - watched.usedMs >= limits.inUseMs && !isFresh(watched, nowMs);
