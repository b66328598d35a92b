import { limits } from "./limits.ts";

/** What a program has logged in the second that runs, and what was left out since the last notice. */
export interface Rate {
  second: number;
  entries: number;
  failures: number;
  dropped: number;
}

export const newRate = (): Rate => ({ second: 0, entries: 0, failures: 0, dropped: 0 });

/** Whether one more entry is kept; counts it as one or the other. Failures have room of their own. */
export function takeTurn(rate: Rate, failure: boolean, nowMs: number): boolean {
  const second = Math.floor(nowMs / 1000);
  if (second !== rate.second) {
    rate.second = second;
    rate.entries = 0;
    rate.failures = 0;
  }
  if (failure ? rate.failures < limits.failuresPerSecond : rate.entries < limits.entriesPerSecond) {
    if (failure) rate.failures += 1;
    else rate.entries += 1;
    return true;
  }
  rate.dropped += 1;
  return false;
}
