import { limits } from "../limits.ts";
import type { Live } from "./live.ts";

/**
 * Processes that were replaced while they had work: they get no new requests, finish what they have, and then what
 * they said they would do after their answers. Only for programs without storage, of which several may run.
 */
export class Retired {
  /** Those that wait, and what wakes them. */
  readonly #all = new Map<Live, () => void>();
  readonly #ends = new Set<Promise<void>>();

  /** Resolves when the last of them has ended. */
  async gone(): Promise<void> {
    await Promise.all(this.#ends);
  }

  retire(live: Live, drainMs: number): void {
    const end = this.#finish(live, drainMs).finally(() => this.#ends.delete(end));
    this.#ends.add(end);
  }

  /** Ends the process when it has nothing more to do, or after `drainMs` and the time of `waitUntil`. */
  async #finish(live: Live, drainMs: number): Promise<void> {
    live.retired = true;
    const untilMs = performance.now() + drainMs;
    while (live.traffic.inFlight > 0 && performance.now() < untilMs && live.death === null) {
      if (!(await this.#pause(live, limits.retiredLookMs))) break;
    }
    const { waitingSinceMs } = live.traffic;
    if (waitingSinceMs !== null && live.death === null) {
      await this.#pause(live, waitingSinceMs + limits.waitUntilMs - performance.now());
    }
    this.#all.delete(live);
    await live.end(limits.terminateMs);
  }

  /** Has all of them end at once. */
  hurry(): void {
    for (const wake of this.#all.values()) wake();
  }

  /** False if it was hurried, or the process is gone. */
  async #pause(live: Live, ms: number): Promise<boolean> {
    return await new Promise((resolve) => {
      const timer = setTimeout(() => resolve(true), Math.max(0, ms)).unref();
      const wake = () => {
        clearTimeout(timer);
        resolve(false);
      };
      this.#all.set(live, wake);
      void live.process.exited.then(wake);
    });
  }
}
