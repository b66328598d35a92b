import { setTimeout as sleep } from "node:timers/promises";

/**
 * Asks `check` until it gives something else than undefined or false, at most for `timeoutMs`, then gives
 * undefined. Throws the signal's reason as soon as `signal` is aborted.
 */
export async function waitFor<T>(
  check: () => T | undefined | false | Promise<T | undefined | false>,
  timeoutMs: number,
  pollMs: number,
  signal?: AbortSignal,
): Promise<T | undefined> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    signal?.throwIfAborted();
    const value = await check();
    if (value !== undefined && value !== false) return value;
    if (performance.now() >= deadline) return undefined;
    await sleep(pollMs);
  }
}
