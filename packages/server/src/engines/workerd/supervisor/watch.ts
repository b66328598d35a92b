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
  /** CPU time the process used while it was silent, as a share of that time. */
  readonly silentCpuShare: number;
}

/**
 * Whether a process has to be ended. Time is counted in ticks of Ambit's own, so that a pause of Ambit is not taken
 * for one of the process. A process that is silent and idle is starved by its host, or waits for its disk: it gets more
 * time than one in an endless loop.
 */
export function judge(vitals: Vitals): Death | null {
  if (vitals.rssBytes > vitals.memoryBytes) return "memory";
  if (vitals.descriptors > vitals.maxDescriptors * limits.descriptorShare) return "descriptors";
  const busy = vitals.silentCpuShare >= limits.loopCpuShare;
  const ticks = Math.ceil((busy ? limits.healthAnswerMs : limits.starvedAnswerMs) / limits.healthMs);
  return vitals.silentTicks >= ticks ? "unresponsive" : null;
}
