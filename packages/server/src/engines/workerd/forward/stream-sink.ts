import { Readable } from "node:stream";
import type { AmbitError } from "../../../kernel/errors.ts";
import { workerdErrors } from "../errors.ts";
import type { Answer } from "../types.ts";
import type { AnswerHead } from "./answer-head.ts";
import type { Sink } from "./sink.ts";

/** Gives an answer to a caller inside Ambit: head first, body as a stream that holds the process back. */
export class StreamSink implements Sink {
  /** Called when the reader wants more. */
  onRoom: () => void = () => {};
  /** Called when the reader throws the stream away before its end. */
  onGone: () => void = () => {};
  readonly #resolve: (answer: Answer) => void;
  readonly #reject: (error: AmbitError) => void;
  #body: Readable | null = null;

  constructor(resolve: (answer: Answer) => void, reject: (error: AmbitError) => void) {
    this.#resolve = resolve;
    this.#reject = reject;
  }

  onHead(head: AnswerHead): void {
    this.#body = new Readable({
      read: () => this.onRoom(),
      destroy: (error, done) => {
        this.onGone();
        done(error);
      },
    });
    this.#body.on("error", () => {}); // a reader that left must not end Ambit
    this.#resolve({ status: head.status, headers: head.headers, body: this.#body });
  }

  onBody(chunk: Buffer): boolean {
    return this.#body!.push(Buffer.from(chunk));
  }

  flush(): void {}

  onEnd(): void {
    this.#body!.push(null);
  }

  refuse(error: AmbitError): void {
    this.#reject(error);
  }

  cut(): void {
    if (this.#body === null) this.#reject(workerdErrors.RUNTIME_STOPPED());
    else this.#body.destroy(workerdErrors.RUNTIME_STOPPED());
  }
}
