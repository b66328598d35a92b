import { isUtf8 } from "node:buffer";

/** Follows a stream of WebSocket frames by their headers, to know where one ends and the next begins. */
export class FrameCursor {
  /** Bytes of the payload that are still to come. */
  #left = 0;
  /** Bytes of a header that has not ended, and how many it will have. */
  #have = 0;
  #need = 2;
  readonly #header = Buffer.alloc(14);
  #sawClose = false;

  /** Between two frames: one of ours may be sent here. */
  get atBoundary(): boolean {
    return this.#left === 0 && this.#have === 0;
  }

  /** A close frame went by: nothing may follow it. */
  get sawClose(): boolean {
    return this.#sawClose;
  }

  push(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#left > 0) {
        const taken = Math.min(this.#left, chunk.length - at);
        this.#left -= taken;
        at += taken;
        continue;
      }
      this.#header[this.#have++] = chunk[at++]!;
      if (this.#have === 2) this.#need = headerBytes(this.#header[1]!);
      if (this.#have === this.#need) this.#begin();
    }
  }

  #begin(): void {
    const header = this.#header;
    const short = header[1]! & 0x7f;
    if (short === 126) this.#left = header.readUInt16BE(2);
    else if (short === 127) this.#left = Number(header.readBigUInt64BE(2));
    else this.#left = short;
    if ((header[0]! & 0x0f) === 8) this.#sawClose = true;
    this.#have = 0;
    this.#need = 2;
  }
}

function headerBytes(second: number): number {
  const short = second & 0x7f;
  const length = short === 127 ? 8 : short === 126 ? 2 : 0;
  return 2 + length + ((second & 0x80) === 0 ? 0 : 4);
}

/** What clients are told when the process behind their socket goes away; they may connect again at once. */
export const SERVICE_RESTART = 1012;
/** What they are told when they may not be connected (any more). */
export const POLICY_VIOLATION = 1008;

/** An unmasked close frame, as a server sends it. */
export function closeFrame(code: number, reason: string): Buffer {
  let text = Buffer.from(reason).subarray(0, 123);
  // Cut in the middle of a character, it would be no UTF-8.
  if (!isUtf8(text)) text = Buffer.from(reason.slice(0, 30));
  const frame = Buffer.alloc(4 + text.length);
  frame[0] = 0x88;
  frame[1] = 2 + text.length;
  frame.writeUInt16BE(code, 2);
  text.copy(frame, 4);
  return frame;
}
