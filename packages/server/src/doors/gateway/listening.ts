import type {
  UpstreamFailure,
  UpstreamHead,
  UpstreamListener,
  UpstreamMessage,
} from "../../engines/upstream/types.ts";
import type { Admission } from "../../features/gateway/service.ts";
import type { AmbitError } from "../../kernel/errors.ts";
import { failureStatus, failureText, readUpstream } from "./answer.ts";
import { CODES } from "./codes.ts";
import type { DoorContext } from "./context.ts";
import { gatewayDoorErrors } from "./errors.ts";
import { InOrder } from "./in-order.ts";
import { limits } from "./limits.ts";
import { checkList, filteredText } from "./lists.ts";
import { Reply } from "./reply.ts";
import type { UnderWay } from "./under-way.ts";
import { rpcError, type Visit } from "./visit.ts";

/** What a server sends by itself in a session (GET), or again after a stream broke. */
export class Listening implements UpstreamListener, UnderWay {
  readonly admission: Admission;
  readonly #context: DoorContext;
  readonly #sessionId: string;
  readonly #over: () => void;
  readonly #reply: Reply;
  readonly #requestId: string;
  readonly #abort = new AbortController();
  readonly #down: InOrder;
  #upstreamOver = false;
  #ended = false;
  #closedSinceMs: number | null = null;

  /** `sessionId` is the upstream's. `over` is called once, when both sides have ended. */
  constructor(context: DoorContext, visit: Visit, admission: Admission, sessionId: string, over: () => void) {
    this.#context = context;
    this.admission = admission;
    this.#sessionId = sessionId;
    this.#requestId = visit.requestId;
    this.#over = over;
    const lost = (error: unknown) => {
      // A list that can't be filtered is not passed on, nor is anything that would come after it.
      context.log.error({ err: error, requestId: visit.requestId }, "a list could not be filtered");
      this.#reply.end(502);
    };
    this.#down = new InOrder(lost, () => this.#check());
    this.#reply = new Reply(context, visit, () => {
      this.#abort.abort();
      this.#check();
    });
  }

  /** Aborted when nobody listens any more. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  onHead({ status, streaming }: UpstreamHead): void {
    if (streaming && status < 300) this.#reply.begin();
  }

  onMessage(message: UpstreamMessage): void | Promise<void> {
    const read = readUpstream(message);
    const check = read === null ? "unreadable" : checkList(read, "unknown");
    if (check === "unreadable" || read === null || !this.#reply.streams) {
      this.#context.log.debug({ requestId: this.#requestId }, "a message of a server was not passed on");
      return;
    }
    const { ids } = this.#context;
    const id =
      message.eventId === null ? null : ids.eventId(this.admission, this.#sessionId, message.eventId);
    if (check === "none" && this.#down.idle) return this.#reply.pass(message.text, id);
    return this.#down.run(async () => {
      const { gateway } = this.#context;
      const text = check === "none" ? message.text : await filteredText(gateway, this.admission, read);
      await this.#reply.pass(text, id);
    });
  }

  onEnd(): void {
    this.#upstreamOver = true;
    this.#afterwards(() => this.#reply.end(405));
  }

  onFailure(failure: UpstreamFailure): void {
    this.#upstreamOver = true;
    // A server that has no such stream says so with 405, and clients do without then.
    const status = failure.status === 405 ? 405 : failureStatus(failure, "session", false, true);
    this.#afterwards(() => {
      if (this.#reply.streams) this.#reply.end(200);
      else this.#reply.finish(status, rpcError(null, CODES.internal, failureText(failure)));
    });
  }

  revoke(why: AmbitError): void {
    this.#reply.refuse(why, null);
  }

  tick(nowMs: number): void {
    this.#reply.keepAlive(nowMs);
    if (!this.#reply.closed) return;
    this.#closedSinceMs ??= nowMs;
    if (nowMs - this.#closedSinceMs < limits.afterEndMs) return;
    this.#upstreamOver = true;
    this.#check();
  }

  windUp(): void {
    this.cut();
  }

  cut(): void {
    this.#reply.refuse(gatewayDoorErrors.GATEWAY_CLOSING(), null);
  }

  takeBack(): void {}

  /** After what is being passed down. */
  #afterwards(end: () => void): void {
    if (this.#down.idle) end();
    else void this.#down.run(end);
    this.#check();
  }

  #check(): void {
    if (this.#ended || !this.#reply.closed || !this.#upstreamOver || !this.#down.idle) return;
    this.#ended = true;
    this.#over();
  }
}
