import type { Readable } from "node:stream";
import type { AmbitError } from "../../../kernel/errors.ts";
import { workerdErrors } from "../errors.ts";
import type { Exchange, Outcome } from "../types.ts";
import type { AnswerHead } from "./answer-head.ts";
import type { Connection, Transmission } from "./connection.ts";
import type { Pool } from "./pool.ts";
import { type Framing, framingOf, requestHead } from "./request-head.ts";
import type { Sink } from "./sink.ts";

/** Who is told when an exchange is over, before its outcome is. */
export interface DeliveryOwner {
  onOver(delivery: Delivery, end: Outcome["end"]): void;
}

/** One exchange on its way: from the first byte to the process to the last byte of the answer. */
export class Delivery implements Transmission {
  readonly requestId: string;
  readonly unit: string;
  readonly method: string;
  readonly head: string;
  readonly framing: Framing;
  readonly body: Readable | Buffer | null;
  readonly #owner: DeliveryOwner;
  readonly #pool: Pool;
  readonly #sink: Sink;
  readonly #resolve: (outcome: Outcome) => void;
  readonly startedMs: number;
  #timer: NodeJS.Timeout | null = null;
  #connection: Connection | null = null;
  #retried = false;
  #over = false;
  #status = 0;
  #openEnded = false;
  #waiting = false;
  #bytesIn = 0;
  #bytesOut = 0;

  /** Throws BadRequestHead for an exchange that can't be written. */
  constructor(
    owner: DeliveryOwner,
    pool: Pool,
    exchange: Exchange,
    unit: string,
    sink: Sink,
    resolve: (o: Outcome) => void,
  ) {
    this.#owner = owner;
    this.#pool = pool;
    this.#sink = sink;
    this.#resolve = resolve;
    this.requestId = exchange.requestId;
    this.unit = unit;
    this.method = exchange.method;
    this.body = exchange.body;
    this.framing = framingOf(exchange);
    this.head = requestHead(exchange, this.framing);
    this.startedMs = performance.now();
    if (exchange.timeoutMs !== null) this.#timer = setTimeout(onTimeout, exchange.timeoutMs, this);
  }

  /** Something of the answer has come. */
  get begun(): boolean {
    return this.#status !== 0;
  }

  /** User code goes on working after its answer. */
  get waiting(): boolean {
    return this.#waiting;
  }

  /** Its answer has begun and does not say where it ends, like an event stream: nobody waits for it to finish. */
  get endless(): boolean {
    return this.#openEnded;
  }

  start(): void {
    this.#connection = this.#pool.take();
    this.#connection.send(this);
  }

  onHead(head: AnswerHead, bodyless: boolean): void {
    this.#status = head.status;
    this.#waiting = head.waiting;
    this.#openEnded = !bodyless && head.length === null;
    try {
      this.#sink.onHead(head, bodyless);
    } catch {
      this.#abort("process_lost", workerdErrors.RUNTIME_STOPPED());
    }
  }

  onRead(): void {
    this.#sink.flush();
  }

  onBody(chunk: Buffer): void {
    if (this.#over) return;
    this.#bytesOut += chunk.length;
    if (!this.#sink.onBody(chunk)) this.#connection?.pause();
  }

  onEnd(): void {
    if (this.#over) return;
    this.#finish("answered");
    this.#sink.onEnd();
  }

  onUpgrade(): void {
    this.#abort("process_lost", workerdErrors.RUNTIME_STOPPED());
  }

  onSent(bytes: number): void {
    this.#bytesIn += bytes;
  }

  /** The connection is gone. Only a request of which nothing arrived may be sent again: any other may have run. */
  onLost(untouched: boolean): void {
    if (this.#over) return;
    const whole = this.body === null || Buffer.isBuffer(this.body);
    if (untouched && whole && !this.#retried && this.#status === 0) {
      this.#retried = true;
      this.#bytesIn = 0;
      this.#connection = this.#pool.fresh();
      this.#connection.send(this);
      return;
    }
    const error = untouched
      ? workerdErrors.RUNTIME_UNAVAILABLE({ headers: { "Retry-After": "1" } })
      : workerdErrors.RUNTIME_STOPPED();
    this.#abort("process_lost", error);
  }

  /** The sink can take more. */
  resume(): void {
    this.#connection?.resume();
  }

  /** The caller is not there any more: user code is told by its connection closing. */
  callerGone(): void {
    this.#abort("caller_gone", null);
  }

  timeOut(): void {
    this.#abort("timeout", workerdErrors.RUNTIME_TIMEOUT());
  }

  /** Ends it from outside, because the process is about to be replaced or was found dead. */
  lose(): void {
    this.#abort("process_lost", workerdErrors.RUNTIME_STOPPED());
  }

  #abort(end: Outcome["end"], error: AmbitError | null): void {
    if (this.#over) return;
    const begun = this.#status !== 0;
    if (!begun && error !== null) this.#status = error.status;
    const connection = this.#connection;
    this.#finish(end);
    connection?.abandon();
    if (begun || error === null) this.#sink.cut();
    else this.#sink.refuse(error);
  }

  #finish(end: Outcome["end"]): void {
    this.#over = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#connection = null;
    this.#owner.onOver(this, end);
    this.#resolve({
      status: this.#status,
      durationMs: performance.now() - this.startedMs,
      bytesIn: this.#bytesIn,
      bytesOut: this.#bytesOut,
      end,
      waiting: this.#waiting,
    });
  }
}

const onTimeout = (delivery: Delivery) => delivery.timeOut();
