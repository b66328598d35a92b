/** A queue whose `push` and `shift` take constant time and whose memory follows what waits in it. */
export class Fifo<T> {
  #incoming: T[] = [];
  #outgoing: (T | undefined)[] = [];
  #head = 0;

  get length(): number {
    return this.#incoming.length + this.#outgoing.length - this.#head;
  }

  push(item: T): void {
    this.#incoming.push(item);
  }

  /** The oldest item, or undefined if there is none. */
  shift(): T | undefined {
    if (this.#head === this.#outgoing.length) {
      if (this.#incoming.length === 0) return undefined;
      this.#outgoing = this.#incoming;
      this.#incoming = [];
      this.#head = 0;
    }
    const item = this.#outgoing[this.#head];
    this.#outgoing[this.#head++] = undefined;
    return item;
  }

  clear(): void {
    this.#incoming = [];
    this.#outgoing = [];
    this.#head = 0;
  }
}
