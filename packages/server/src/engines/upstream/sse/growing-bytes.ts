const FIRST_BYTES = 4_096;

/**
 * Bytes that come in parts. Parts are copied together, not kept: ten million parts of one byte are to cost ten megabytes.
 */
export class GrowingBytes {
  #bytes: Buffer | null = null;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  add(part: Buffer): void {
    const wanted = this.#length + part.length;
    if (this.#bytes === null || this.#bytes.length < wanted) {
      const larger = Buffer.allocUnsafeSlow(Math.max(FIRST_BYTES, wanted, (this.#bytes?.length ?? 0) * 2));
      this.#bytes?.copy(larger, 0, 0, this.#length);
      this.#bytes = larger;
    }
    part.copy(this.#bytes, this.#length);
    this.#length = wanted;
  }

  /** All of it, the caller's own from now on; empty afterwards. */
  take(): Buffer {
    const all = this.#bytes === null ? Buffer.alloc(0) : this.#bytes.subarray(0, this.#length);
    this.#bytes = null;
    this.#length = 0;
    return all;
  }
}
