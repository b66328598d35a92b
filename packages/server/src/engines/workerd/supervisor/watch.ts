import { limits } from "../limits.ts";
import type { Death } from "../types.ts";

/** What is known of a process at a tick of the watchdog. */
export interface Vitals {
  readonly rssBytes: number;
  readonly memoryBytes: number;
  readonly descriptors: number;
  /** Its limit of open files. */
  readonly maxDescriptors: number;
  /** Ticks since an unanswered question about its health was sent; 0 without one. */
  readonly silentTicks: number;
  /** Share of the silent time in which the thread that runs user code ran, or was ready to. */
  readonly silentBusyShare: number;
}

/**
 * Whether a process has to be ended. Time is counted in ticks of Ambit's own, so that a pause of Ambit is not taken
 * for one of the process. An endless loop runs, or waits for nothing but a processor. A thread that sleeps meanwhile
 * works on: it waits for its disk, as when hundreds of new instances make their files, and gets more time.
 */
export function judge(vitals: Vitals): Death | null {
  if (vitals.rssBytes > vitals.memoryBytes) return "memory";
  if (vitals.descriptors > vitals.maxDescriptors * limits.descriptorShare) return "descriptors";
  const loops = vitals.silentBusyShare >= limits.loopBusyShare;
  const ticks = Math.ceil((loops ? limits.healthAnswerMs : limits.blockedAnswerMs) / limits.healthMs);
  return vitals.silentTicks >= ticks ? "unresponsive" : null;
}
