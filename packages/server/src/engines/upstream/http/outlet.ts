import type { UpstreamFailure, UpstreamHead, UpstreamListener, UpstreamMessage } from "../types.ts";

/** What can be made to wait: undici's controller of an answer. */
export interface Tap {
  pause(): void;
  resume(): void;
}

/**
 * Hands an exchange's messages to who listens, in order and no faster than it takes them; the head once and first, the
 * end once and last. While it waits the tap is closed, so that little more comes.
 */
export class Outlet {
  readonly #listener: UpstreamListener;
  readonly #onRejected: () => void;
  #headSent = false;
  #over = false;
  #slow = false;
  #waiting: UpstreamMessage[] = [];
  /** What comes when everything that waits has been taken. */
  #then: (() => void) | null = null;
  #tap: Tap | null = null;

  /** `onRejected` is called when the listener can't take a message at all. */
  constructor(listener: UpstreamListener, onRejected: () => void) {
    this.#listener = listener;
    this.#onRejected = onRejected;
  }

  /** Whether the listener has heard the last of it, or will once it has taken what waits. */
  get over(): boolean {
    return this.#over;
  }

  head(head: UpstreamHead): void {
    if (this.#headSent || this.#over) return;
    this.#headSent = true;
    this.#listener.onHead(head);
  }

  message(message: UpstreamMessage, tap: Tap): void {
    if (this.#over) return;
    if (this.#slow) {
      this.#waiting.push(message);
      tap.pause();
      this.#tap = tap;
    } else this.#give(message, tap);
  }

  end(): void {
    this.#finish(() => this.#listener.onEnd());
  }

  fail(failure: UpstreamFailure): void {
    this.#finish(() => this.#listener.onFailure(failure));
  }

  /** Like `fail`, but at once: what waits is dropped. */
  abandon(failure: UpstreamFailure): void {
    this.#waiting = [];
    this.#slow = false;
    if (this.#then !== null) {
      this.#then = null;
      this.#listener.onFailure(failure);
    } else this.fail(failure);
  }

  #finish(last: () => void): void {
    if (this.#over) return;
    this.#over = true;
    if (this.#slow) this.#then = last;
    else last();
  }

  #give(message: UpstreamMessage, tap: Tap): void {
    const taken = this.#listener.onMessage(message);
    if (taken === undefined) return;
    this.#slow = true;
    tap.pause();
    this.#tap = tap;
    taken.then(this.#goOn, this.#onRejected);
  }

  readonly #goOn = (): void => {
    if (!this.#slow) return;
    this.#slow = false;
    const tap = this.#tap;
    while (!this.#slow && tap !== null) {
      const next = this.#waiting.shift();
      if (next === undefined) break;
      this.#give(next, tap);
    }
    if (this.#slow) return;
    const last = this.#then;
    this.#then = null;
    this.#tap = null;
    if (last !== null) last();
    tap?.resume();
  };
}
