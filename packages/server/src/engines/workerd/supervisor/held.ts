import { workerdErrors } from "../errors.ts";
import { limits } from "../limits.ts";

interface Waiter {
  resolve(): void;
  reject(error: unknown): void;
  timer: NodeJS.Timeout;
}

/** Requests that wait until their program runs: not too many, and not for too long. */
export class Held {
  #waiters = new Set<Waiter>();
  readonly #holdMs: number;

  constructor(holdMs: number = limits.holdMs) {
    this.#holdMs = holdMs;
  }

  get size(): number {
    return this.#waiters.size;
  }

  /** Resolves at `release`; rejects at `refuse`, when the time is over, or at once when too many wait. */
  wait(): Promise<void> {
    if (this.#waiters.size >= limits.held) {
      return Promise.reject(workerdErrors.RUNTIME_BUSY({ headers: { "Retry-After": "1" } }));
    }
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiters.delete(waiter);
        reject(unavailable(1_000));
      }, this.#holdMs);
      const waiter = { resolve, reject, timer };
      this.#waiters.add(waiter);
    });
  }

  release(): void {
    for (const waiter of this.#take()) waiter.resolve();
  }

  refuse(error: unknown): void {
    for (const waiter of this.#take()) waiter.reject(error);
  }

  #take(): Set<Waiter> {
    const taken = this.#waiters;
    this.#waiters = new Set();
    for (const { timer } of taken) clearTimeout(timer);
    return taken;
  }
}

/** Not running; worth another try after so long. */
export function unavailable(retryMs: number, message?: string) {
  const seconds = String(Math.max(1, Math.ceil(retryMs / 1_000)));
  return workerdErrors.RUNTIME_UNAVAILABLE({
    ...(message === undefined ? {} : { message }),
    headers: { "Retry-After": seconds },
  });
}
