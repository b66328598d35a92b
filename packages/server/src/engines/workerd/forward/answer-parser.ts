import { limits } from "../limits.ts";
import { type AnswerHead, BadAnswer, hasNoBody, readAnswerHead } from "./answer-head.ts";

/** Who hears of an answer as it arrives. Chunks are only valid during the call. */
export interface AnswerListener {
  /** `bodyless`: `onEnd` follows at once. */
  onHead(head: AnswerHead, bodyless: boolean): void;
  onBody(chunk: Buffer): void;
  /** `last`: the connection can't carry another exchange. */
  onEnd(last: boolean): void;
  /** A 101: what follows, beginning with `rest`, is no longer HTTP. */
  onUpgrade(head: AnswerHead, rest: Buffer): void;
}

type State =
  | "head"
  | "length"
  | "chunk size"
  | "chunk"
  | "chunk end"
  | "trailers"
  | "until close"
  | "idle"
  | "raw";

const CRLF2 = Buffer.from("\r\n\r\n", "latin1");
const NOTHING = Buffer.alloc(0);
const CHUNK_LINE_BYTES = 256;
const TRAILER_BYTES = 16 * 1024;

/** Reads the answers of one connection, one after the other, from chunks cut anywhere. */
export class AnswerParser {
  #state: State = "idle";
  #listener: AnswerListener | null = null;
  #method = "";
  /** Bytes of a line or head that has not ended yet. */
  #kept: Buffer = NOTHING;
  /** Of the body or chunk. */
  #left = 0;
  #head: AnswerHead | null = null;
  /** Answers of one unit often begin alike: the head read last, and what it was read from. */
  #lastText = "";
  #lastHead: AnswerHead | null = null;
  #trailerBytes = 0;

  /** The next bytes are the answer to a request with this method. */
  expect(method: string, listener: AnswerListener): void {
    this.#state = "head";
    this.#method = method;
    this.#listener = listener;
  }

  /** Nobody waits for an answer: bytes now would be nonsense. */
  get idle(): boolean {
    return this.#state === "idle";
  }

  /** Takes bytes from the connection; throws BadAnswer on nonsense. */
  push(chunk: Buffer): void {
    let data = chunk;
    if (this.#kept.length > 0) {
      data = Buffer.concat([this.#kept, chunk]);
      this.#kept = NOTHING;
    }
    let at = 0;
    while (at < data.length) {
      const next = this.#step(data, at);
      if (next < 0) {
        this.#kept = Buffer.from(data.subarray(at));
        return;
      }
      at = next;
    }
  }

  /** The connection's other end closed it; true if that was the proper end of the answer. */
  end(): boolean {
    if (this.#state !== "until close") return this.#state === "idle";
    this.#finish(true);
    return true;
  }

  /** Works on `data` from `at`; the place behind what it took, or -1 when it needs more. */
  #step(data: Buffer, at: number): number {
    switch (this.#state) {
      case "head":
        return this.#readHead(data, at);
      case "length":
      case "chunk": {
        const end = Math.min(data.length, at + this.#left);
        this.#left -= end - at;
        this.#listener!.onBody(at === 0 && end === data.length ? data : data.subarray(at, end));
        if (this.#left === 0) {
          if (this.#state === "length") this.#finish(this.#head!.close);
          else this.#state = "chunk end";
        }
        return end;
      }
      case "chunk size":
        return this.#readChunkSize(data, at);
      case "chunk end":
        if (data.length - at < 2) return -1;
        if (data[at] !== 13 || data[at + 1] !== 10) throw new BadAnswer("chunk end");
        this.#state = "chunk size";
        return at + 2;
      case "trailers":
        return this.#skipTrailer(data, at);
      case "until close":
        this.#listener!.onBody(data.subarray(at));
        return data.length;
      case "raw":
        return data.length;
      case "idle":
        throw new BadAnswer("bytes nobody asked for");
    }
  }

  #readHead(data: Buffer, at: number): number {
    const end = data.indexOf(CRLF2, at);
    if (end < 0) {
      if (data.length - at > limits.answerHeadBytes) throw new BadAnswer("head too large");
      return -1;
    }
    const text = data.toString("latin1", at, end);
    if (text !== this.#lastText) {
      this.#lastHead = readAnswerHead(text);
      this.#lastText = text;
    }
    const head = this.#lastHead!;
    const behind = end + 4;
    this.#head = head;
    if (head.status === 101) {
      const listener = this.#listener!;
      this.#state = "raw";
      this.#listener = null;
      listener.onUpgrade(head, Buffer.from(data.subarray(behind)));
      return data.length;
    }
    if (head.status < 200) return behind; // an interim answer; the real one follows
    const bodyless = hasNoBody(this.#method, head.status) || head.length === 0;
    this.#listener!.onHead(head, bodyless);
    if (bodyless) this.#finish(head.close);
    else if (head.chunked) this.#state = "chunk size";
    else if (head.length === null) this.#state = "until close";
    else {
      this.#left = head.length;
      this.#state = "length";
    }
    return behind;
  }

  #readChunkSize(data: Buffer, at: number): number {
    const end = data.indexOf(10, at);
    if (end < 0) {
      if (data.length - at > CHUNK_LINE_BYTES) throw new BadAnswer("chunk size");
      return -1;
    }
    const size = /^([0-9a-fA-F]{1,13})[ \t]*(?:;[^\r]*)?\r$/.exec(data.toString("latin1", at, end));
    if (size === null) throw new BadAnswer("chunk size");
    this.#left = Number.parseInt(size[1]!, 16);
    this.#trailerBytes = 0;
    this.#state = this.#left === 0 ? "trailers" : "chunk";
    return end + 1;
  }

  /** Trailers are dropped, as any hop may. */
  #skipTrailer(data: Buffer, at: number): number {
    const end = data.indexOf(10, at);
    if ((end < 0 ? data.length : end) - at + this.#trailerBytes > TRAILER_BYTES)
      throw new BadAnswer("trailers");
    if (end < 0) return -1;
    this.#trailerBytes += end - at;
    if (end === at + 1 && data[at] === 13) this.#finish(this.#head!.close);
    return end + 1;
  }

  #finish(last: boolean): void {
    const listener = this.#listener!;
    this.#state = "idle";
    this.#listener = null;
    listener.onEnd(last);
  }
}
