import { setTimeout as sleep } from "node:timers/promises";

/**
 * Does the work and answers only at a multiple of `stepMs`, after success and failure alike, so that the time taken
 * does not tell what the work found.
 */
export async function inEvenTime<T>(stepMs: number, work: () => Promise<T>): Promise<T> {
  const started = performance.now();
  try {
    return await work();
  } finally {
    const spent = performance.now() - started;
    await sleep(Math.ceil(spent / stepMs) * stepMs - spent);
  }
}
