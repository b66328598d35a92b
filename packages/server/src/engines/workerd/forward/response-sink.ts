import type { ServerResponse } from "node:http";
import type { AmbitError } from "../../../kernel/errors.ts";
import { limits } from "../limits.ts";
import type { OnHeaders } from "../types.ts";
import type { AnswerHead } from "./answer-head.ts";
import type { Sink } from "./sink.ts";

/** Headers of which an answer may have several, from user code and from the door. */
const SHARED = new Set(["vary", "set-cookie"]);

/** Streams an answer into node's response. Headers a door has set before win over the same ones from user code. */
export class ResponseSink implements Sink {
  readonly #response: ServerResponse;
  readonly #documentationBase: string;
  readonly #requestId: string;
  readonly #onHeaders: OnHeaders | undefined;
  /** A head that waits for the first chunk, to leave in the same write. */
  #pending: AnswerHead | null = null;
  #full = false;
  /** Called when the caller has taken what was written, after `onBody` said false. */
  onRoom: () => void = () => {};

  constructor(response: ServerResponse, documentationBase: string, requestId: string, onHeaders?: OnHeaders) {
    this.#onHeaders = onHeaders;
    this.#requestId = requestId;
    this.#response = response;
    this.#documentationBase = documentationBase;
  }

  onHead(head: AnswerHead, bodyless: boolean): void {
    if (!bodyless && head.length !== null) {
      this.#pending = head;
      return;
    }
    this.#begin(head);
    if (!bodyless) this.#response.flushHeaders();
  }

  flush(): void {
    const head = this.#pending;
    if (head === null) return;
    this.#pending = null;
    this.#begin(head);
    this.#response.flushHeaders();
  }

  onBody(chunk: Buffer): boolean {
    const head = this.#pending;
    if (head !== null) {
      this.#pending = null;
      this.#begin(head);
      if (chunk.length === head.length && chunk.length <= limits.joinedBodyBytes) {
        // As Latin-1 each byte is one character, and node sends a string in one piece with the headers.
        this.#response.end(chunk.toString("latin1"), "latin1");
        return true;
      }
    }
    if (this.#response.write(Buffer.from(chunk))) return true;
    if (!this.#full) {
      this.#full = true;
      this.#response.once("drain", () => {
        this.#full = false;
        this.onRoom();
      });
    }
    return false;
  }

  onEnd(): void {
    if (!this.#response.writableEnded) this.#response.end();
  }

  refuse(error: AmbitError): void {
    const response = this.#response;
    if (response.destroyed) return;
    if (response.headersSent) {
      response.destroy();
      return;
    }
    this.#pending = null;
    const body = JSON.stringify(error.toBody(this.#documentationBase));
    for (const [name, value] of Object.entries(error.headers)) response.setHeader(name, value);
    response.setHeader("Content-Type", "application/json; charset=utf-8");
    response.setHeader("X-Content-Type-Options", "nosniff");
    response.setHeader("X-Request-Id", this.#requestId);
    response.setHeader("Content-Length", Buffer.byteLength(body));
    response.writeHead(error.status);
    response.end(body);
  }

  cut(): void {
    this.#response.destroy();
  }

  #begin(head: AnswerHead): void {
    const response = this.#response;
    const headers = this.#onHeaders?.(head.status, head.headers) ?? (head.headers as string[]);
    const own = response.getHeaderNames();
    if (own.length === 0) {
      response.writeHead(head.status, head.reason, headers);
      return;
    }
    const taken = new Set(own);
    for (let at = 0; at < headers.length; at += 2) {
      const name = headers[at]!;
      const lower = name.toLowerCase();
      if (!taken.has(lower) || SHARED.has(lower)) response.appendHeader(name, headers[at + 1]!);
    }
    response.writeHead(head.status, head.reason);
  }
}
