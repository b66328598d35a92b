/** What is to be heard of, and told of, regularly. */
export interface Beating {
  /** Which part of the period is its own; kept here so that leaving needs no search. */
  heartbeatSlot: number;
}

/**
 * Gives each socket its heartbeat once per period, the sockets spread over the period's slots, so that never all of them
 * are written to at once. Time comes from outside, in milliseconds of any steady clock.
 */
export class Heartbeats<S extends Beating> {
  readonly #slots: readonly Set<S>[];
  readonly #slotMs: number;
  #begunAtMs = 0;
  /** Slots that have had their turn since then. */
  #done = 0;
  #next = 0;
  #count = 0;

  constructor(periodMs: number, slots: number) {
    this.#slots = Array.from({ length: slots }, () => new Set<S>());
    this.#slotMs = periodMs / slots;
  }

  get count(): number {
    return this.#count;
  }

  /** Its first heartbeat comes within one period. */
  add(socket: S, nowMs: number): void {
    if (this.#count === 0) {
      this.#begunAtMs = nowMs;
      this.#done = 0;
    }
    socket.heartbeatSlot = this.#next;
    this.#next = (this.#next + 1) % this.#slots.length;
    this.#slots[socket.heartbeatSlot]!.add(socket);
    this.#count += 1;
  }

  remove(socket: S): void {
    if (this.#slots[socket.heartbeatSlot]?.delete(socket)) this.#count -= 1;
  }

  /** Those whose turn has come since the last call. After a long pause each comes once, not once per period missed. */
  *due(nowMs: number): IterableIterator<S> {
    const until = Math.floor((nowMs - this.#begunAtMs) / this.#slotMs);
    const from = Math.max(this.#done, until - this.#slots.length);
    this.#done = Math.max(this.#done, until);
    for (let turn = from; turn < until; turn += 1) yield* this.#slots[turn % this.#slots.length]!;
  }
}
