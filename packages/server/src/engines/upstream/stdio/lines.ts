import { isUtf8 } from "node:buffer";

export interface LineReader {
  /** The next bytes, however they are cut. */
  push(chunk: Buffer): void;
}

export interface LineListener {
  /** The text of a line that may be a JSON object; without its line break. */
  onLine(text: string): void;
  /** A line that is none: no JSON object by its first and last character, or no UTF-8. Blank lines are not told. */
  onJunk(bytes: number): void;
  /** A line that was dropped because it is too long, told at its end; `id`: of the answer it was, as far as one can see. */
  onTooLarge(id: string | number | null): void;
}

const NEWLINE = 0x0a;
const OPEN = 0x7b;
const CLOSE = 0x7d;
/** Kept of a line that is too long, of both ends, to find an id in. */
const END_BYTES = 256;

/** Cuts bytes into lines of at most `maxBytes`; holds no more than that. */
export function createLineReader(maxBytes: number, listener: LineListener): LineReader {
  let parts: Buffer[] = [];
  let length = 0;
  /** Of a line that is too long already. */
  let dropping: { readonly head: string; tail: Buffer } | null = null;

  const take = (part: Buffer) => {
    if (dropping !== null) {
      dropping.tail = lastBytes(dropping.tail, part);
      return;
    }
    parts.push(part);
    length += part.length;
    if (length <= maxBytes) return;
    const all = Buffer.concat(parts, length);
    dropping = { head: all.toString("latin1", 0, END_BYTES), tail: lastBytes(all, Buffer.alloc(0)) };
    parts = [];
    length = 0;
  };
  const finish = () => {
    if (dropping !== null) {
      listener.onTooLarge(idIn(dropping.head, dropping.tail.toString("latin1")));
      dropping = null;
      return;
    }
    const line = trimmed(parts.length === 1 ? parts[0]! : Buffer.concat(parts, length));
    parts = [];
    length = 0;
    if (line.length === 0) return;
    if (line[0] === OPEN && line[line.length - 1] === CLOSE && isUtf8(line))
      listener.onLine(line.toString("utf8"));
    else listener.onJunk(line.length);
  };

  return {
    push(chunk) {
      let from = 0;
      let end = chunk.indexOf(NEWLINE);
      while (end !== -1) {
        take(chunk.subarray(from, end));
        finish();
        from = end + 1;
        end = chunk.indexOf(NEWLINE, from);
      }
      if (from < chunk.length) take(chunk.subarray(from));
    },
  };
}

const isSpace = (byte: number | undefined) => byte === 0x20 || byte === 0x0d || byte === 0x09;

function trimmed(line: Buffer): Buffer {
  let [start, end] = [0, line.length];
  while (start < end && isSpace(line[start])) start += 1;
  while (end > start && isSpace(line[end - 1])) end -= 1;
  return line.subarray(start, end);
}

function lastBytes(before: Buffer, next: Buffer): Buffer {
  if (next.length >= END_BYTES) return Buffer.from(next.subarray(next.length - END_BYTES));
  const both = Buffer.concat([before.subarray(Math.max(0, before.length - END_BYTES)), next]);
  return Buffer.from(both.subarray(Math.max(0, both.length - END_BYTES)));
}

/** Servers write the id first or last; anywhere else it is not found. Ours are whole numbers. Pure. */
export function idIn(head: string, tail: string): number | null {
  const found =
    /^\s*\{\s*(?:"jsonrpc"\s*:\s*"2\.0"\s*,\s*)?"id"\s*:\s*(\d{1,15})\s*,/.exec(head) ??
    /,\s*"id"\s*:\s*(\d{1,15})\s*(?:,\s*"jsonrpc"\s*:\s*"2\.0"\s*)?\}\s*$/.exec(tail);
  return found ? Number(found[1]) : null;
}
