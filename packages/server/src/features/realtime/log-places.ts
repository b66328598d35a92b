interface Waiter {
  readonly lsn: bigint;
  resolve(): void;
  reject(error: unknown): void;
}

/** Those who wait for the reader to come to a place of the log. */
export class LogPlaces {
  #waiters: Waiter[] = [];

  /** Resolves when everything before `lsn` has been handed over; rejects when that can't be told any more. */
  reach(lsn: bigint): Promise<void> {
    return new Promise((resolve, reject) => this.#waiters.push({ lsn, resolve, reject }));
  }

  /** Everything before `lsn` has been handed over. */
  reached(lsn: bigint): void {
    if (this.#waiters.length === 0) return;
    const there = this.#waiters.filter((waiter) => waiter.lsn <= lsn);
    if (there.length === 0) return;
    this.#waiters = this.#waiters.filter((waiter) => waiter.lsn > lsn);
    for (const { resolve } of there) resolve();
  }

  fail(error: unknown): void {
    for (const { reject } of this.#waiters.splice(0)) reject(error);
  }
}
