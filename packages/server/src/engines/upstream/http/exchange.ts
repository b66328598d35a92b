import type { IncomingHttpHeaders } from "node:http";
import type { Dispatcher } from "undici";
import { SseParser } from "../sse/parser.ts";
import { type Message, StreamLost, type UpstreamFailure, type UpstreamListener } from "../types.ts";
import { type AnswerKind, kindOfAnswer } from "./answer.ts";
import type { Asked } from "./asked.ts";
import { CollectedBody } from "./collected-body.ts";
import type { Lane } from "./lane.ts";
import { isRpcError, type ReadMessage, readMessage } from "./message-text.ts";
import { Outlet } from "./outlet.ts";

const CANCELLED = new Error("cancelled");

/**
 * One exchange with the server: a request, renewed once after 401, and its answer, taken up again where its stream broke.
 * It hears undici directly: this is the hot path.
 */
export class Exchange implements Dispatcher.DispatchHandler {
  readonly startedAt: number;
  readonly #lane: Lane;
  readonly #asked: Asked;
  readonly #outlet: Outlet;
  #controller: Dispatcher.DispatchController | null = null;
  #kind: AnswerKind = "empty";
  #status: number | null = null;
  #sessionId: string | null = null;
  /** A byte of the request may have gone out, in this or an earlier attempt. */
  #sent = false;
  #renewed = false;
  /** As which credentials the attempt was made. */
  #generation = 0;
  #body: CollectedBody | null = null;
  #events: SseParser | null = null;
  #lastEventId: string | null = null;
  /** Taking a stream up again: how the one before ended. */
  #resuming: { readonly because: UpstreamFailure | null } | null = null;
  #resumesLeft: number;
  #resumeMs: number;
  #timer: NodeJS.Timeout | null = null;

  constructor(lane: Lane, asked: Asked, listener: UpstreamListener, nowMs: number) {
    this.#lane = lane;
    this.#asked = asked;
    this.#outlet = new Outlet(listener, () => this.cancel());
    this.#resumesLeft = lane.limits.resumes;
    this.#resumeMs = lane.limits.resumeMs;
    this.startedAt = nowMs;
  }

  /** Whether its length is a fault at some time. */
  get endless(): boolean {
    return this.#asked.endless;
  }

  start(): void {
    const { signal } = this.#asked;
    if (signal.aborted) this.#outlet.fail(this.#lane.failures.cancelled(false));
    else if (!this.#lane.enter(this)) this.#outlet.fail(this.#lane.failures.busy());
    else {
      signal.addEventListener("abort", this.cancel, { once: true });
      this.#attempt(this.#asked.method, this.#asked.headers, this.#asked.body);
    }
  }

  /** Nobody waits for it any more. */
  readonly cancel = (): void => {
    const { reason } = this.#asked.signal;
    if (reason instanceof Error && reason.name === "TimeoutError") this.expire();
    else {
      const isCancelled = this.#sent && !this.#outlet.over && !(reason instanceof StreamLost);
      if (isCancelled) this.#asked.onCancelled();
      this.stop(this.#lane.failures.cancelled(this.#sent));
    }
  };

  /** It took too long. */
  expire(): void {
    if (this.#sent && !this.#outlet.over) this.#asked.onCancelled();
    this.stop(this.#lane.failures.timeout(this.#sent, this.#status));
  }

  /** Ends it at once. */
  stop(failure: UpstreamFailure): void {
    this.#leave();
    this.#outlet.abandon(failure);
    this.cut();
  }

  /** Takes nothing more from the server. */
  cut(): void {
    this.#controller?.abort(CANCELLED);
  }

  #attempt(method: Asked["method"], headers: readonly string[], body: string | null): void {
    this.#controller = null;
    this.#events = null;
    this.#generation = this.#lane.generation;
    this.#lane.credentials().then(
      (credentials) => {
        if (this.#outlet.over) return;
        const all = credentials.length === 0 ? headers : headers.concat(credentials);
        this.#lane.dispatch({ method, path: this.#asked.path, headers: all as string[], body }, this);
      },
      (error) => {
        this.#lane.log.warn({ err: error }, "the credentials of an MCP server are not to be had");
        this.#conclude(this.#lane.failures.credentials(this.#sent));
      },
    );
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#outlet.over) this.cut();
    else this.#sent = true;
  }

  onResponseStart(_controller: unknown, status: number, headers: IncomingHttpHeaders): void {
    // What is below 200 only announces an answer.
    if (status < 200 || this.#outlet.over) return;
    const { failures, limits } = this.#lane;
    this.#lane.reached();
    this.#status = status;
    this.#kind = kindOfAnswer(status, headers);
    const session = headers["mcp-session-id"];
    this.#sessionId = typeof session === "string" ? session : null;
    if (this.#asked.awaits === undefined && status < 300 && this.#asked.method !== "GET") {
      // Whatever else comes is nobody's; some servers say "Accepted".
      this.#lane.drain(this);
      this.#outlet.head({ status, sessionId: this.#sessionId, streaming: false });
      this.#conclude(null);
    } else if (this.#kind === "events") {
      this.#resuming = null;
      this.#events = new SseParser(this.#receiver, limits.messageBytes);
      this.#outlet.head({ status, sessionId: this.#sessionId, streaming: true });
    } else if (this.#resuming !== null) {
      this.#conclude(this.#resuming.because);
      this.cut();
    } else if (this.#kind === "refusal") this.#body = new CollectedBody(limits.refusalBytes);
    else if (this.#kind === "other" || (this.#kind === "json" && this.#asked.method === "GET")) {
      this.#failAndCut(failures.body(status, "it is neither JSON nor an event stream"));
    } else if (this.#kind === "json") this.#body = new CollectedBody(limits.messageBytes);
  }

  onResponseData(_controller: unknown, chunk: Buffer): void {
    // After its end the rest is read only to keep the connection.
    if (this.#outlet.over) return;
    const status = this.#status ?? 200;
    if (this.#events !== null) {
      if (!this.#events.push(chunk)) this.#failAndCut(this.#lane.tooLarge(status));
    } else if (this.#kind === "empty") {
      this.#failAndCut(this.#nothing());
    } else if (!this.#body?.add(chunk)) {
      const { failures } = this.#lane;
      this.#failAndCut(this.#kind === "refusal" ? failures.ofStatus(status) : this.#lane.tooLarge(status));
    }
  }

  onResponseEnd(): void {
    this.#lane.drained(this);
    if (this.#outlet.over) return;
    if (this.#kind === "events") this.#afterStream(null);
    else if (this.#kind === "empty") this.#conclude(this.#nothing());
    else if (this.#kind === "refusal" && this.#status === 401) this.#afterUnauthorized();
    else this.#takeBody();
  }

  onResponseError(_controller: unknown, error: Error): void {
    this.#lane.drained(this);
    if (this.#outlet.over) return;
    const failure = this.#lane.failures.ofError(error, this.#sent, this.#status);
    if (failure.kind === "connect" || failure.kind === "timeout") this.#lane.failed(failure);
    if (this.#events !== null || this.#resuming !== null) this.#afterStream(failure);
    else this.#conclude(failure);
  }

  #nothing(): UpstreamFailure {
    return this.#lane.failures.body(this.#status ?? 202, "there is no answer in it");
  }

  #takeBody(): void {
    const status = this.#status ?? 200;
    const read = this.#lane.cleaned(this.#body?.read() ?? null);
    if (this.#kind === "refusal" && (read === null || !isRpcError(read))) {
      this.#conclude(this.#lane.failures.ofStatus(status));
    } else if (read === null) {
      this.#conclude(this.#lane.failures.body(status, "it is no JSON object"));
    } else {
      this.#outlet.head({ status, sessionId: this.#sessionId, streaming: false });
      this.#give(read, null);
      this.#conclude(null);
    }
  }

  /** A 401 proves that nothing ran, so that it may be asked once more with other credentials. */
  #afterUnauthorized(): void {
    const refuse = () => this.#conclude(this.#lane.failures.ofStatus(401));
    if (this.#renewed) {
      refuse();
      return;
    }
    this.#renewed = true;
    this.#lane.renew(this.#generation).then((renewed) => {
      if (this.#outlet.over) return;
      if (renewed) {
        this.#sent = false;
        this.#status = null;
        this.#attempt(this.#asked.method, this.#asked.headers, this.#asked.body);
      } else refuse();
    }, refuse);
  }

  readonly #receiver = {
    onEvent: (data: Buffer, type: string, id: string | null): void => {
      if (id !== null) this.#lastEventId = id;
      if (this.#outlet.over) return;
      if (type !== "" && type !== "message") {
        this.#asked.onOtherEvent(type, data.toString("utf8"));
        return;
      }
      const read = this.#lane.cleaned(readMessage(data));
      if (read === null) {
        this.#failAndCut(this.#lane.failures.body(this.#status ?? 200, "an event is no JSON object"));
        return;
      }
      this.#resumesLeft = this.#lane.limits.resumes;
      this.#give(read, id);
      if (!this.#isAnswer(read.message)) return;
      // Nothing may follow; waiting for the server to close would only be slower.
      this.#lane.drain(this);
      this.#conclude(null);
    },
    onId: (id: string): void => {
      this.#lastEventId = id;
    },
    onRetry: (ms: number): void => {
      this.#resumeMs = Math.min(ms, this.#lane.limits.resumeMaxMs);
    },
  };

  #isAnswer({ id, method }: Message): boolean {
    return this.#asked.awaits !== undefined && id === this.#asked.awaits && method === undefined;
  }

  #give({ text, message }: ReadMessage, eventId: string | null): void {
    this.#lane.passing(message);
    this.#outlet.message({ text, eventId, parsed: message }, this.#controller!);
  }

  /** The stream has ended before the answer came: it goes on where it was, if the server offers that. */
  #afterStream(because: UpstreamFailure | null): void {
    const lastId = this.#asked.awaits === undefined ? null : this.#lastEventId;
    const headers = lastId === null || this.#resumesLeft === 0 ? null : this.#asked.resumeHeaders(lastId);
    const failure =
      because ?? (this.#asked.awaits === undefined ? null : this.#lane.failures.cut(this.#status));
    if (headers === null) {
      this.#conclude(failure);
      return;
    }
    this.#resumesLeft -= 1;
    this.#resuming = { because: failure };
    this.#events = null;
    this.#timer = setTimeout(() => this.#attempt("GET", headers, null), this.#resumeMs);
  }

  #conclude(failure: UpstreamFailure | null): void {
    this.#leave();
    if (failure === null) this.#outlet.end();
    else this.#outlet.fail(failure);
  }

  #failAndCut(failure: UpstreamFailure): void {
    this.#conclude(failure);
    this.cut();
  }

  #leave(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#asked.signal.removeEventListener("abort", this.cancel);
    this.#lane.leave(this);
  }
}
