/** Work that is done one after another. */
export class InOrder {
  readonly #onError: (error: unknown) => void;
  readonly #onIdle: () => void;
  #tail: Promise<void> | null = null;

  /** `onIdle` is called when nothing is left to do; what a piece of work throws goes to `onError`. */
  constructor(onError: (error: unknown) => void, onIdle: () => void) {
    this.#onError = onError;
    this.#onIdle = onIdle;
  }

  get idle(): boolean {
    return this.#tail === null;
  }

  /** Begins at once when nothing is under way. Resolves when it is done, whatever came of it. */
  run(work: () => Promise<void> | void): Promise<void> {
    const before = this.#tail;
    const begin = async () => {
      if (before !== null) await before;
      await work();
    };
    const tail = begin()
      .catch(this.#onError)
      .then(() => {
        if (this.#tail !== tail) return;
        this.#tail = null;
        this.#onIdle();
      });
    this.#tail = tail;
    return tail;
  }
}
