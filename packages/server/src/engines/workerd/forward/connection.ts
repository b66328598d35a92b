import type { Socket } from "node:net";
import type { Readable } from "node:stream";
import { limits } from "../limits.ts";
import type { AnswerHead } from "./answer-head.ts";
import { type AnswerListener, AnswerParser } from "./answer-parser.ts";
import { connectReading } from "./read-buffer.ts";
import type { Framing } from "./request-head.ts";

/** One request as it goes over a connection, and who hears of the answer. */
export interface Transmission extends AnswerListener {
  readonly method: string;
  readonly head: string;
  readonly framing: Framing;
  readonly body: Readable | Buffer | null;
  /** A read is over, and more is to come: nothing should wait for it. */
  onRead?(): void;
  /** Bytes of the body passed on. */
  onSent(bytes: number): void;
  /** The answer will not be completed. `untouched`: not one byte of the request can have arrived. */
  onLost(untouched: boolean): void;
}

/** Who keeps a connection between exchanges. */
export interface ConnectionOwner {
  /** It can carry another exchange. */
  onIdle(connection: Connection): void;
  onClosed(connection: Connection): void;
}

/** A connection to a process: one exchange at a time, many one after the other. */
export class Connection implements AnswerListener {
  readonly #socket: Socket;
  readonly #parser = new AnswerParser();
  readonly #owner: ConnectionOwner;
  #current: Transmission | null = null;
  /** Ends the passing on of a streamed body. */
  #stopBody: (() => void) | null = null;
  #bodySent = true;
  /** When true, the exchange that just ended leaves the connection fit for another one. */
  #reusable = false;
  #ended = false;
  #connected = false;
  #touched = false;
  /** Runs while an answer may still come from a process that takes nothing more. */
  #lastWords: NodeJS.Timeout | null = null;
  closed = false;
  idleSinceMs = 0;

  constructor(path: string, owner: ConnectionOwner) {
    this.#owner = owner;
    this.#socket = connectReading(path, (bytes) => this.#read(bytes));
    this.#socket.on("connect", () => {
      this.#connected = true;
      this.#touched ||= this.#current !== null;
    });
    this.#socket.on("end", () => this.#onSocketEnd());
    this.#socket.on("error", () => this.#onSocketError());
    this.#socket.on("close", () => this.#onClose());
  }

  /** Writes the request. Only for a connection that is idle or new. */
  send(transmission: Transmission): void {
    this.#current = transmission;
    this.#reusable = false;
    this.#touched = this.#connected;
    this.#parser.expect(transmission.method, this);
    const { head, body } = transmission;
    if (body === null) this.#write(head);
    else if (Buffer.isBuffer(body)) this.#writeWhole(head, body, transmission);
    else this.#pump(head, body, transmission);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Ends the connection; the exchange under way is told, unless it gave up itself. */
  destroy(): void {
    if (this.closed) return;
    this.#onClose();
    this.#socket.destroy();
  }

  /** Gives up the exchange: nothing more is told to it, and the process sees its caller leave. */
  abandon(): void {
    this.#current = null;
    this.destroy();
  }

  onHead(head: AnswerHead, bodyless: boolean): void {
    this.#current?.onHead(head, bodyless);
  }

  onBody(chunk: Buffer): void {
    this.#current?.onBody(chunk);
  }

  onEnd(last: boolean): void {
    const current = this.#current;
    this.#current = null;
    this.#ended = true;
    this.#reusable = !last && this.#bodySent;
    this.#stopBody?.();
    current?.onEnd(last);
  }

  onUpgrade(): void {
    this.destroy(); // nobody asked for one here
  }

  #read(bytes: Buffer): boolean {
    if (this.closed) return false;
    try {
      if (this.#parser.idle) throw new Error("bytes nobody asked for");
      this.#parser.push(bytes);
      if (!this.#ended) this.#current?.onRead?.();
    } catch {
      // Also what a listener throws: it must not leave the socket's callback, where nobody would catch it.
      this.destroy();
      return false;
    }
    if (this.#ended) this.#release();
    return true;
  }

  /** Behind the whole read: bytes beyond the answer must never meet the next request. */
  #release(): void {
    this.#ended = false;
    if (!this.#reusable || this.closed || !this.#parser.idle) {
      this.destroy();
      return;
    }
    this.#socket.resume();
    this.#owner.onIdle(this);
  }

  #onSocketEnd(): void {
    this.#parser.end();
    this.destroy();
  }

  /** A write failed, unless the socket is gone: the process takes no more, but may have answered before. */
  #onSocketError(): void {
    if (this.closed || this.#socket.destroyed || !this.#touched || this.#current === null) {
      this.destroy();
      return;
    }
    this.#bodySent = false;
    this.#stopBody?.();
    this.#lastWords ??= setTimeout(() => this.destroy(), limits.lastWordsMs);
  }

  #onClose(): void {
    if (this.closed) return;
    this.closed = true;
    if (this.#lastWords !== null) clearTimeout(this.#lastWords);
    this.#owner.onClosed(this);
    this.#stopBody?.();
    const current = this.#current;
    this.#current = null;
    current?.onLost(!this.#touched);
  }

  /**
   * Writes what begins a request. A write that fails in the call itself (the process closed the connection while it
   * was idle) has sent nothing.
   */
  #write(data: string | Buffer): void {
    if (typeof data === "string") this.#socket.write(data, "latin1");
    else this.#socket.write(data);
    if (this.#socket.errored !== null) this.#touched = false;
  }

  #writeWhole(head: string, body: Buffer, transmission: Transmission): void {
    if (body.length <= limits.joinedBodyBytes) {
      const joined = Buffer.allocUnsafe(head.length + body.length);
      joined.write(head, 0, "latin1");
      body.copy(joined, head.length);
      this.#write(joined);
    } else {
      this.#write(head);
      if (this.#socket.errored === null) {
        // The rest may be under way for long: an early answer must not see the connection reused meanwhile.
        this.#bodySent = false;
        this.#socket.write(body, () => {
          this.#bodySent = true;
        });
      }
    }
    transmission.onSent(body.length);
  }

  /** Streams the body, held back when the process does not keep up. */
  #pump(head: string, body: Readable, transmission: Transmission): void {
    const socket = this.#socket;
    const chunked = transmission.framing === "chunked";
    let left =
      typeof transmission.framing === "object" ? transmission.framing.length : Number.POSITIVE_INFINITY;
    let begun = false;
    this.#bodySent = false;
    // A small body is usually there in a moment: it shares a write with the head.
    socket.cork();
    socket.write(head, "latin1");
    const begin = () => {
      if (begun) return;
      begun = true;
      socket.uncork();
    };
    setImmediate(begin);
    const onData = (chunk: Buffer | string) => {
      const bytes = typeof chunk === "string" ? Buffer.from(chunk) : chunk;
      if (bytes.length === 0) return;
      left -= bytes.length;
      if (left < 0) return this.destroy(); // more than was announced: it would be read as the next request
      transmission.onSent(bytes.length);
      if (begun) socket.cork();
      if (chunked) socket.write(`${bytes.length.toString(16)}\r\n`, "latin1");
      let more = socket.write(bytes);
      if (chunked) more = socket.write("\r\n", "latin1");
      if (begun) socket.uncork();
      else if (left === 0) begin();
      if (!more) body.pause();
    };
    const onDrain = () => body.resume();
    const onEnd = () => {
      stop();
      if (chunked) socket.write("0\r\n\r\n", "latin1");
      else if (left > 0) return this.destroy(); // fewer than announced: the process would wait for ever
      begin();
      this.#bodySent = true;
    };
    const onFail = () => this.destroy();
    const stop = () => {
      this.#stopBody = null;
      begin();
      body.off("data", onData).off("end", onEnd).off("error", onFail).off("close", onFail);
      socket.off("drain", onDrain);
      if (!body.readableEnded && !body.destroyed) body.on("error", () => {}).resume(); // nobody wants the rest
    };
    this.#stopBody = stop;
    socket.on("drain", onDrain);
    body.on("end", onEnd).on("error", onFail).on("close", onFail).on("data", onData);
    if (body.readableEnded) onEnd();
    else if (body.destroyed) onFail();
  }
}
