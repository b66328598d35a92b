import { GrowingBytes } from "./growing-bytes.ts";

const LF = 0x0a;
const CR = 0x0d;
const COLON = 0x3a;
const SPACE = 0x20;
const BOM = Buffer.from([0xef, 0xbb, 0xbf]);
const NEWLINE = Buffer.from("\n");
/** Of the fields the standard knows: `event`, `retry`. */
const LONGEST_NAME = 5;

export interface SseReceiver {
  /**
   * One event whose data is not empty, in bytes that are the receiver's own from now on. `type` is "" when the event names
   * none; `id` is the event's own, null without.
   */
  onEvent(data: Buffer, type: string, id: string | null): void;
  /** An event without data: all it can tell is the id to go on from. */
  onId?(id: string): void;
  /** How long to wait before connecting again, in milliseconds. */
  onRetry?(ms: number): void;
}

/**
 * Reads a `text/event-stream` as it comes, by the HTML standard: any line ends, comments, several data lines, a byte
 * order mark, cut anywhere. It works on bytes, so that no character is ever cut. Holds at most about twice `maxBytes`.
 */
export class SseParser {
  readonly #receiver: SseReceiver;
  readonly #maxBytes: number;
  /** The beginning of a line whose end has not come yet. */
  readonly #line = new GrowingBytes();
  /** Data lines of the event so far: the first as it came, all of them once there are several. */
  #first: Buffer | null = null;
  readonly #lines = new GrowingBytes();
  #type = "";
  #id: string | null = null;
  #afterCr = false;
  #atStart = true;
  #stopped = false;

  constructor(receiver: SseReceiver, maxBytes: number) {
    this.#receiver = receiver;
    this.#maxBytes = maxBytes;
  }

  /** Takes the next bytes; false once a line or an event is larger than `maxBytes`, and for ever after that. */
  push(chunk: Buffer): boolean {
    let start = this.#afterCr && chunk[0] === LF ? 1 : 0;
    if (chunk.length > 0) this.#afterCr = false;
    let lf = chunk.indexOf(LF, start);
    let cr = chunk.indexOf(CR, start);
    while ((lf !== -1 || cr !== -1) && !this.#stopped) {
      const end = cr === -1 || (lf !== -1 && lf < cr) ? lf : cr;
      this.#takeLine(chunk.subarray(start, end));
      start = end + 1;
      if (end === cr) {
        if (start === chunk.length) this.#afterCr = true;
        else if (chunk[start] === LF) start += 1;
        cr = chunk.indexOf(CR, start);
      }
      if (lf !== -1 && lf < start) lf = chunk.indexOf(LF, start);
    }
    if (start < chunk.length && !this.#stopped) this.#keep(chunk.subarray(start));
    return !this.#stopped;
  }

  #keep(part: Buffer): void {
    if (this.#line.length + part.length > this.#maxBytes) this.#stopped = true;
    else this.#line.add(part);
  }

  #takeLine(end: Buffer): void {
    let line = end;
    if (this.#line.length > 0) {
      this.#keep(end);
      if (this.#stopped) return;
      line = this.#line.take();
    }
    if (line.length > this.#maxBytes) {
      this.#stopped = true;
      return;
    }
    if (this.#atStart) {
      this.#atStart = false;
      if (line.subarray(0, 3).equals(BOM)) line = line.subarray(3);
    }
    if (line.length === 0) this.#dispatch();
    else this.#field(line);
  }

  #field(line: Buffer): void {
    const colon = line.indexOf(COLON);
    const nameEnd = colon === -1 ? line.length : colon;
    if (nameEnd === 0 || nameEnd > LONGEST_NAME) return;
    const name = line.toString("latin1", 0, nameEnd);
    const from = colon === -1 ? line.length : line[colon + 1] === SPACE ? colon + 2 : colon + 1;
    if (name === "data") this.#data(line.subarray(from));
    else if (name === "event") this.#type = line.toString("utf8", from);
    else if (name === "id") {
      const id = line.toString("utf8", from);
      if (!id.includes("\0")) this.#id = id;
    } else if (name === "retry") {
      const text = line.toString("latin1", from, from + 10);
      if (/^\d{1,9}$/.test(text)) this.#receiver.onRetry?.(Number(text));
    }
  }

  #data(value: Buffer): void {
    if (this.#first === null) {
      this.#first = value;
      return;
    }
    const before = this.#lines.length === 0 ? this.#first.length : this.#lines.length;
    if (before + 1 + value.length > this.#maxBytes) {
      this.#stopped = true;
      return;
    }
    // The first line is kept as it is until there is a second: nearly every event has one.
    if (this.#lines.length === 0) this.#lines.add(this.#first);
    this.#lines.add(NEWLINE);
    this.#lines.add(value);
  }

  #dispatch(): void {
    const data = this.#lines.length > 0 ? this.#lines.take() : this.#first;
    const type = this.#type;
    const id = this.#id;
    this.#first = null;
    this.#type = "";
    this.#id = null;
    if (data !== null && data.length > 0) this.#receiver.onEvent(data, type, id);
    else if (id !== null) this.#receiver.onId?.(id);
  }
}
