import type { StdioLimits } from "./limits.ts";

/** What is remembered of a server's crashes. */
export interface Crashes {
  /** One after the other, without a healthy run between. */
  readonly inARow: number;
  /** When the next start may be, in ms of the clock. */
  readonly notBeforeMs: number;
}

export const noCrashes: Crashes = { inARow: 0, notBeforeMs: 0 };

/** After a program has ended by itself, `livedMs` after its start. Pure. */
export function afterCrash(
  before: Crashes,
  livedMs: number,
  nowMs: number,
  limits: Pick<StdioLimits, "firstBackoffMs" | "lastBackoffMs" | "healthyAfterMs">,
): Crashes {
  const inARow = livedMs >= limits.healthyAfterMs ? 1 : before.inARow + 1;
  // Beyond 2^30 the last wait is reached whatever the limits are.
  const waitMs = Math.min(limits.firstBackoffMs * 2 ** Math.min(inARow - 1, 30), limits.lastBackoffMs);
  return { inARow, notBeforeMs: nowMs + waitMs };
}
