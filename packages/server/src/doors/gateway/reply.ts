import type { AmbitError } from "../../kernel/errors.ts";
import type { DoorContext } from "./context.ts";
import { limits } from "./limits.ts";
import { EventStream } from "./sse.ts";
import { sendAmbitError, sendEmpty, sendJson, type Visit } from "./visit.ts";

/**
 * What a client gets for one message: one JSON body, or a stream of events from the first message on. Once it is closed
 * nothing is written any more; whatever is asked of it then does nothing.
 */
export class Reply {
  readonly #context: DoorContext;
  readonly #visit: Visit;
  readonly #onClosed: (gone: boolean) => void;
  #stream: EventStream | null = null;
  #closed = false;

  /** `onClosed` is called once: with true when the client went away before it was over. */
  constructor(context: DoorContext, visit: Visit, onClosed: (gone: boolean) => void) {
    this.#context = context;
    this.#visit = visit;
    this.#onClosed = onClosed;
    const { response } = visit;
    if (response.destroyed) queueMicrotask(this.#gone);
    else response.once("close", this.#gone);
  }

  get closed(): boolean {
    return this.#closed;
  }

  get streams(): boolean {
    return this.#stream !== null;
  }

  /** Begins a stream, so that the client knows that it will be one. */
  begin(more?: Record<string, string>): void {
    if (!this.#closed) this.#stream ??= new EventStream(this.#visit, this.#context.clock(), more);
  }

  /** One message of a stream that has begun. A promise when the client can't take more just now. */
  pass(text: string, eventId: string | null): Promise<void> | undefined {
    return this.#closed ? undefined : this.#stream?.send(text, eventId, this.#context.clock());
  }

  /** The last message: as the whole body, unless a stream has begun. */
  finish(status: number, text: string, eventId: string | null = null, more?: Record<string, string>): void {
    if (this.#closed) return;
    if (this.#stream === null) sendJson(this.#visit, status, text, more);
    else {
      this.#stream.send(text, eventId, this.#context.clock());
      this.#stream.end();
    }
    this.#close(false);
  }

  /** Ends it without another message: a stream just ends, anything else is answered with the status alone. */
  end(status: number): void {
    if (this.#closed) return;
    if (this.#stream === null) sendEmpty(this.#visit, status);
    else this.#stream.end();
    this.#close(false);
  }

  /** Ends it with an error of ours; a stream gets `lastText` as its last message, if there is one. */
  refuse(error: AmbitError, lastText: string | null): void {
    if (this.#closed) return;
    if (this.#stream === null) {
      sendAmbitError(this.#visit, error, this.#context);
      this.#close(false);
    } else if (lastText === null) this.end(200);
    else this.finish(200, lastText);
  }

  keepAlive(nowMs: number): void {
    if (!this.#closed) this.#stream?.keepAlive(limits.keepAliveMs, nowMs);
  }

  readonly #gone = (): void => {
    if (!this.#closed) this.#close(true);
  };

  #close(gone: boolean): void {
    this.#closed = true;
    this.#visit.response.off("close", this.#gone);
    this.#onClosed(gone);
  }
}
