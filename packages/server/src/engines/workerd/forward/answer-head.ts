import { WAITING_HEADER } from "../headers.ts";
import { isHopByHop } from "./request-head.ts";

/** What status line and headers of an answer say, with the hop's own headers taken out. */
export interface AnswerHead {
  readonly status: number;
  readonly reason: string;
  /** Flat: name, value, name, value. */
  readonly headers: readonly string[];
  readonly length: number | null;
  readonly chunked: boolean;
  /** The connection ends with this answer. */
  readonly close: boolean;
  readonly waiting: boolean;
}

/** An answer that is not HTTP/1.1 as we read it. */
export class BadAnswer extends Error {
  override name = "BadAnswer";
}

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: ([^\r\n]*))?$/;

/** What no line may hold: user code may put any control character but NUL, CR and LF into a header's value. */
const UNSAFE = /[^\t\r\n\x20-\x7e\x80-\xff]|\r(?!\n)|(?<!\r)\n/g;

/** Reads a head: the lines up to the empty one, without it. Control characters in it become spaces (RFC 9110 §5.5). */
export function readAnswerHead(received: string): AnswerHead {
  const text = received.replace(UNSAFE, " ");
  let end = text.indexOf("\r\n");
  if (end < 0) end = text.length;
  const line = STATUS_LINE.exec(text.slice(0, end));
  if (line === null) throw new BadAnswer("status line");
  const headers: string[] = [];
  let close = line[1] === "0";
  let length: number | null = null;
  let chunked = false;
  let waiting = false;
  let nominated: Set<string> | null = null;
  for (let from = end + 2; from < text.length; from = end + 2) {
    end = text.indexOf("\r\n", from);
    if (end < 0) end = text.length;
    const colon = text.indexOf(":", from);
    if (colon <= from || colon >= end) throw new BadAnswer("header line");
    const name = text.slice(from, colon);
    const value = text.slice(colon + 1, end).trim();
    const lower = name.toLowerCase();
    if (lower === "content-length") {
      if (!/^\d{1,15}$/.test(value) || (length !== null && length !== Number(value))) {
        throw new BadAnswer("content-length");
      }
      if (length === null) headers.push(name, value);
      length = Number(value);
    } else if (lower === "transfer-encoding") {
      if (value.toLowerCase() !== "chunked") throw new BadAnswer("transfer-encoding");
      chunked = true;
    } else if (lower === "connection") {
      for (const option of value.toLowerCase().split(",")) {
        const each = option.trim();
        if (each === "close") close = true;
        else if (each !== "keep-alive") nominated = (nominated ?? new Set()).add(each);
      }
    } else if (lower === WAITING_HEADER) {
      waiting = true;
    } else if (!isHopByHop(lower)) {
      headers.push(name, value);
    }
  }
  if (chunked && length !== null) throw new BadAnswer("two lengths");
  return {
    status: Number(line[2]),
    reason: line[3] ?? "",
    headers: nominated === null ? headers : without(headers, nominated),
    length,
    chunked,
    close,
    waiting,
  };
}

function without(headers: readonly string[], names: ReadonlySet<string>): string[] {
  const kept: string[] = [];
  for (let at = 0; at < headers.length; at += 2) {
    if (!names.has(headers[at]!.toLowerCase())) kept.push(headers[at]!, headers[at + 1]!);
  }
  return kept;
}

/** Whether an answer with this status has a body at all. */
export const hasNoBody = (method: string, status: number): boolean =>
  method === "HEAD" || status === 204 || status === 304 || status < 200;
