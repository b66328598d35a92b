import { ranByStatus } from "../../engines/upstream/ran.ts";
import {
  type Era,
  type Message,
  StreamLost,
  type UpstreamFailure,
  type UpstreamHead,
  type UpstreamListener,
  type UpstreamMessage,
} from "../../engines/upstream/types.ts";
import type { Admission, CallUnderWay } from "../../features/gateway/service.ts";
import type { AmbitError } from "../../kernel/errors.ts";
import {
  type CallEnd,
  endOfAnswer,
  endOfFailure,
  failureStatus,
  failureText,
  isResponse,
  passedStatus,
  readUpstream,
} from "./answer.ts";
import { CODES } from "./codes.ts";
import type { DoorContext } from "./context.ts";
import { gatewayDoorErrors } from "./errors.ts";
import { InOrder } from "./in-order.ts";
import { limits } from "./limits.ts";
import { checkList, filteredText } from "./lists.ts";
import type { RequestId } from "./message.ts";
import { Reply } from "./reply.ts";
import type { UnderWay } from "./under-way.ts";
import { internalError, rpcError, type Visit } from "./visit.ts";

/** What is known of a message that was let through. */
export interface Forwarded {
  readonly visit: Visit;
  readonly admission: Admission;
  readonly era: Era;
  /** Null for what has no answer. */
  readonly id: RequestId | null;
  readonly method: string;
  /** The upstream's session; null without one. */
  readonly sessionId: string | null;
  readonly recorded: Promise<string>;
  readonly call: CallUnderWay;
}

const UNREADABLE_LIST =
  "The upstream server failed (body): its list of tools can't be read, and is not passed on.";

/**
 * One message on its way up, and what comes down for it. Nothing leaves before the decision is recorded, and the answer not
 * before the judge has taken note of how the call ended.
 */
export class Exchange implements UpstreamListener, UnderWay {
  readonly admission: Admission;
  readonly #context: DoorContext;
  readonly #what: Forwarded;
  readonly #over: () => void;
  readonly #reply: Reply;
  readonly #abort = new AbortController();
  #head: UpstreamHead = { status: 200, sessionId: null, streaming: false };
  /** What is being passed down; what fails on the way ends the exchange, with nothing of the result. */
  readonly #down = new InOrder(
    (error) => this.#broken(error),
    () => this.#check(),
  );
  #recorded = false;
  #settled: Promise<void> | null = null;
  /** The answer is there, or what stands for it: nothing that comes later counts. */
  #answered = false;
  #upstreamOver = false;
  /** The client knows an event of the stream, by which it can ask for the rest. */
  #canBeTakenUp = false;
  #ended = false;
  /** Since when only the upstream is waited for. */
  #idleSinceMs: number | null = null;

  /** `over` is called once, when both sides have ended. */
  constructor(context: DoorContext, what: Forwarded, over: () => void) {
    this.#context = context;
    this.#what = what;
    this.#over = over;
    this.admission = what.admission;
    this.#reply = new Reply(context, what.visit, (gone) => this.#onReplyClosed(gone));
    what.recorded.then(
      () => {
        this.#recorded = true;
      },
      (error) => this.#broken(error),
    );
  }

  /** Aborted when nobody waits for the answer any more. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  onHead(head: UpstreamHead): void {
    this.#head = head;
  }

  onMessage(message: UpstreamMessage): void | Promise<void> {
    const { call, id } = this.#what;
    if (this.#answered || (this.#reply.closed && !call.keepsResult)) return;
    const read = readUpstream(message);
    if (read !== null && this.#isAnswer(read)) {
      this.#answered = true;
      return this.#down.run(() => this.#answer(read, message));
    }
    // One message alone, and not the answer; or more of them than there are for a notification.
    if (read === null || !this.#head.streaming || id === null) return this.#unusable();
    const check = checkList(read, "other");
    if (check === "none" && this.#recorded && this.#down.idle) return this.#pass(message.text, message);
    return this.#down.run(async () => {
      if (!this.#recorded) await this.#what.recorded;
      await this.#pass(check === "none" ? message.text : await this.#filtered(read), message);
    });
  }

  onEnd(): void {
    const { status } = this.#head;
    if (this.#what.id !== null) {
      this.onFailure({ kind: "broken", status, ran: "maybe", message: "" });
    } else if (status >= 400) {
      this.onFailure({ kind: "refused", status, ran: ranByStatus(status), message: "" });
    } else {
      this.#endsWith(() =>
        this.#conclude({ ran: "yes", status, problem: null, result: null }, () => this.#reply.end(202)),
      );
    }
  }

  onFailure(failure: UpstreamFailure): void {
    this.#endsWith(() => this.#fail(failure));
  }

  revoke(why: AmbitError): void {
    this.#reply.refuse(why, rpcError(this.#what.id, CODES.internal, why.message));
    this.#abort.abort();
  }

  tick(nowMs: number): void {
    if (this.#reply.closed) this.#waitForUpstream(nowMs);
    else {
      const { streaming } = this.#head;
      if (streaming && this.#recorded && !this.#answered && this.#what.id !== null) {
        this.#reply.begin(this.#openedSession());
      }
      this.#reply.keepAlive(nowMs);
    }
  }

  #waitForUpstream(nowMs: number): void {
    // What a person approved runs to its end, so that its result is there for whoever asks again.
    if (this.#what.call.keepsResult && !this.#answered && !this.signal.aborted) return;
    this.#idleSinceMs ??= nowMs;
    if (nowMs - this.#idleSinceMs < limits.afterEndMs) return;
    this.#abort.abort();
    if (nowMs - this.#idleSinceMs < 2 * limits.afterEndMs) return;
    this.#settle({ ran: "maybe", status: 0, problem: "cancelled", result: null });
    this.#answered = true;
    this.#upstreamOver = true;
    this.#check();
  }

  windUp(): void {
    if (this.#reply.streams || this.#what.method === "subscriptions/listen") this.cut();
  }

  cut(): void {
    const closing = gatewayDoorErrors.GATEWAY_CLOSING();
    this.#reply.refuse(closing, rpcError(this.#what.id, CODES.internal, closing.message));
    this.#abort.abort();
  }

  takeBack(sessionId: string, id: unknown): void {
    const mine = this.#what.id !== null && this.#what.id === id && this.#what.sessionId === sessionId;
    if (!mine || this.#answered || this.#what.call.keepsResult) return;
    this.#reply.finish(200, rpcError(this.#what.id, CODES.internal, "The request was cancelled."));
    this.#abort.abort();
  }

  /** The upstream says no more; `end` unless the answer was there before. */
  #endsWith(end: () => void): void {
    this.#upstreamOver = true;
    if (this.#answered) this.#check();
    else {
      this.#answered = true;
      end();
    }
  }

  #isAnswer(message: Message): boolean {
    const { id } = this.#what;
    if (!isResponse(message)) return false;
    if (id !== null && message.id === id) return true;
    // A server that could not read the message does not know its id.
    const nameless = message.id === null || message.id === undefined;
    return Object.hasOwn(message, "error") && (nameless || (id === null && !this.#head.streaming));
  }

  async #answer(read: Message, message: UpstreamMessage): Promise<void> {
    const { method, call, recorded, id, era } = this.#what;
    const { status, streaming } = this.#head;
    const check = checkList(read, method === "tools/list" ? "tools" : "other");
    const unreadable = check === "unreadable";
    const settled = this.#settle(
      unreadable
        ? { ran: "yes", status, problem: "body", result: null }
        : endOfAnswer(status, read, call.keepsResult),
    );
    let text = message.text;
    if (unreadable) text = rpcError(id, CODES.internal, UNREADABLE_LIST);
    else if (check === "filter") text = await this.#filtered(read);
    else if (read.id !== id) text = JSON.stringify({ ...read, id });
    if (!this.#recorded) await recorded;
    await settled;
    if (streaming) this.#reply.begin(this.#openedSession());
    const told = unreadable && era === "stateless" ? 502 : passedStatus(status);
    this.#reply.finish(told, text, this.#eventId(message), this.#openedSession());
  }

  #filtered(read: Message): Promise<string> {
    return filteredText(this.#context.gateway, this.admission, read);
  }

  #pass(text: string, message: UpstreamMessage): Promise<void> | undefined {
    this.#reply.begin(this.#openedSession());
    const eventId = this.#eventId(message);
    if (eventId !== null) this.#canBeTakenUp = true;
    return this.#reply.pass(text, eventId);
  }

  /** The header that tells the client of the session which its `initialize` has opened. */
  #openedSession(): Record<string, string> | undefined {
    const { sessionId } = this.#head;
    if (sessionId === null || this.#what.method !== "initialize" || this.#reply.streams) return undefined;
    return { "mcp-session-id": this.#context.ids.seal(this.admission, sessionId) };
  }

  /** Only what comes in a session can be taken up again. */
  #eventId({ eventId }: UpstreamMessage): string | null {
    const { era, sessionId, admission } = this.#what;
    if (eventId === null || era !== "session" || sessionId === null) return null;
    return this.#context.ids.eventId(admission, sessionId, eventId);
  }

  #fail(failure: UpstreamFailure): void {
    const { id, era, sessionId } = this.#what;
    const status = failureStatus(failure, era, id !== null, sessionId !== null);
    this.#conclude(endOfFailure(failure), () =>
      this.#reply.finish(status, rpcError(id, CODES.internal, failureText(failure))),
    );
  }

  /** The upstream said something that is no answer. */
  #unusable(): void {
    this.#answered = true;
    this.#fail({ kind: "body", status: this.#head.status, ran: "maybe", message: "" });
    this.#abort.abort();
  }

  /** Tells the judge how it ended, and answers once all of it is durable. */
  #conclude(end: CallEnd, answer: () => void): void {
    const settled = this.#settle(end);
    this.#down.run(async () => {
      if (!this.#recorded) await this.#what.recorded;
      await settled;
      answer();
    });
  }

  #settle(end: CallEnd): Promise<void> {
    if (this.#settled === null) {
      this.#settled = this.#what.call.settle(end);
      // Who waits for it is told by it too.
      this.#settled.catch((error) => {
        const { requestId } = this.#what.visit;
        this.#context.log.warn({ err: error, requestId }, "how a call ended was not kept");
      });
    }
    return this.#settled;
  }

  /** It can't be recorded, or not be judged to its end. */
  #broken(error: unknown): void {
    const { visit, id, era } = this.#what;
    const { requestId } = visit;
    this.#answered = true;
    if (!this.#reply.closed) {
      this.#context.log.error({ err: error, requestId }, "a call could not be recorded");
      this.#reply.finish(era === "session" && id !== null ? 200 : 503, internalError(id, error, requestId));
    }
    this.#abort.abort();
    this.#settle({ ran: "maybe", status: this.#head.status, problem: "unrecorded", result: null });
  }

  #onReplyClosed(gone: boolean): void {
    if (gone && !this.#what.call.keepsResult)
      this.#abort.abort(this.#canBeTakenUp ? new StreamLost() : undefined);
    this.#check();
  }

  #check(): void {
    if (this.#ended || !this.#reply.closed || !this.#upstreamOver || !this.#down.idle) return;
    this.#ended = true;
    this.#over();
  }
}
