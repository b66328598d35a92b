import type { Clock } from "../../../kernel/clock.ts";
import { limits } from "../limits.ts";
import type { ProgramKey } from "../types.ts";

/** Wakes sleeping programs: one timer for all of them. */
export class AlarmClock {
  readonly #clock: Clock;
  readonly #wake: (key: ProgramKey) => void;
  readonly #due = new Map<ProgramKey, number>();
  #timer: NodeJS.Timeout | null = null;

  constructor(clock: Clock, wake: (key: ProgramKey) => void) {
    this.#clock = clock;
    this.#wake = wake;
  }

  set(key: ProgramKey, dueMs: number): void {
    this.#due.set(key, dueMs);
    this.#arm();
  }

  clear(key: ProgramKey): void {
    if (this.#due.delete(key)) this.#arm();
  }

  close(): void {
    this.#due.clear();
    this.#arm();
  }

  #arm(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#due.size === 0) return;
    let first = Number.POSITIVE_INFINITY;
    for (const dueMs of this.#due.values()) first = Math.min(first, dueMs);
    const waitMs = Math.min(Math.max(0, first - this.#clock()), limits.alarmTimerMs);
    this.#timer = setTimeout(() => this.#ring(), waitMs).unref();
  }

  #ring(): void {
    const nowMs = this.#clock();
    const due = [...this.#due].filter(([, dueMs]) => dueMs <= nowMs).map(([key]) => key);
    for (const key of due) this.#due.delete(key);
    this.#arm();
    for (const key of due) this.#wake(key);
  }
}
