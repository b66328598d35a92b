/** One hold of the log for all connections, from the first to the last. */
export class Holders {
  readonly #hold: () => () => void;
  #count = 0;
  #release: (() => void) | null = null;

  constructor(hold: () => () => void) {
    this.#hold = hold;
  }

  add(): void {
    this.#count += 1;
    this.#release ??= this.#hold();
  }

  remove(): void {
    this.#count -= 1;
    if (this.#count > 0) return;
    this.#release?.();
    this.#release = null;
  }
}
