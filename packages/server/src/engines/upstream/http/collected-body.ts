import { GrowingBytes } from "../sse/growing-bytes.ts";
import { type ReadMessage, readMessage } from "./message-text.ts";

/** A body that is read as a whole. In most cases it comes in one part, which is then never copied. */
export class CollectedBody {
  readonly #mostBytes: number;
  #first: Buffer | null = null;
  #all: GrowingBytes | null = null;

  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  /** False when it is too large with this part. */
  add(part: Buffer): boolean {
    const before = this.#all?.length ?? this.#first?.length ?? 0;
    if (before + part.length > this.#mostBytes) return false;
    if (this.#first === null) {
      this.#first = part;
      return true;
    }
    if (this.#all === null) {
      this.#all = new GrowingBytes();
      this.#all.add(this.#first);
    }
    this.#all.add(part);
    return true;
  }

  /** The message it is; null when it is none. */
  read(): ReadMessage | null {
    const bytes = this.#all?.take() ?? this.#first;
    return bytes === null ? null : readMessage(bytes);
  }
}
