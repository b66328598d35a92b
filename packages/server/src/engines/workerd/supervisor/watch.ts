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
  /** Share of the silent time in which the thread that runs user code ran. */
  readonly silentRanShare: number;
  /** … and in which it was ready to, without a processor. */
  readonly silentWaitedShare: number;
  /** How often a second it went to sleep by itself meanwhile. */
  readonly silentSleepsPerS: number;
}

/**
 * Whether a process has to be ended. Time is counted in ticks of Ambit's own, so that a pause of Ambit is not taken
 * for one of the process. An endless loop runs, or waits for nothing but a processor. A thread that sleeps meanwhile
 * works on: it waits for its disk, as when hundreds of new instances make their files, and gets more time.
 */
export function judge(vitals: Vitals): Death | null {
  if (vitals.rssBytes > vitals.memoryBytes) return "memory";
  if (vitals.descriptors > vitals.maxDescriptors * limits.descriptorShare) return "descriptors";
  const ticks = Math.ceil(patienceMs(vitals) / limits.healthMs);
  return vitals.silentTicks >= ticks ? "unresponsive" : null;
}

/** How long the silence may last. On a host that is short of processors a loop runs less, but never sleeps. */
function patienceMs({ silentRanShare, silentWaitedShare, silentSleepsPerS }: Vitals): number {
  if (silentRanShare >= limits.loopBusyShare) return limits.healthAnswerMs;
  if (silentRanShare + silentWaitedShare < limits.loopBusyShare) return limits.blockedAnswerMs;
  return silentSleepsPerS < limits.sleeperPerS ? limits.healthAnswerMs : limits.starvedAnswerMs;
}
