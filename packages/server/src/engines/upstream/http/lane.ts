import { Pool } from "undici";
import type { Log } from "../../../kernel/log.ts";
import { errorCodeOf, RPC } from "../channel/messages.ts";
import type { Message, UpstreamFailure } from "../types.ts";
import type { Asked } from "./asked.ts";
import type { Exchange } from "./exchange.ts";
import { type Failures, failuresOf } from "./failures.ts";
import { credentialHeaders } from "./headers.ts";
import type { HttpLimits } from "./limits.ts";
import type { ReadMessage } from "./message-text.ts";
import { secretsOf, withoutSecrets } from "./secrets.ts";
import type { HttpTarget, Via } from "./target.ts";

/** What all exchanges with one server share: its connections, its credentials, and how it is. */
export class Lane {
  readonly url: URL;
  readonly limits: HttpLimits;
  readonly log: Log;
  readonly failures: Failures;
  /** Counts how often the credentials were renewed. */
  generation = 0;
  readonly #target: HttpTarget;
  readonly #via: Via;
  readonly #path: string;
  readonly #pool: Pool;
  readonly #exchanges = new Set<Exchange>();
  /** Have told their answer; the server has not closed their stream yet. */
  readonly #draining = new Map<Exchange, number>();
  readonly #sweeper: NodeJS.Timeout;
  #flat: readonly string[] = [];
  #flatOf: object | null = null;
  #secrets: readonly string[] = [];
  #renewing: Promise<boolean> | null = null;
  #reachable: boolean | null = null;
  #problem: string | null = null;
  #closed = false;

  constructor(target: HttpTarget, via: Via) {
    const url = new URL(target.url);
    this.url = url;
    this.#target = target;
    this.#via = via;
    this.limits = via.limits;
    this.log = via.log;
    this.failures = failuresOf(url.host);
    this.#path = url.pathname + url.search;
    this.#pool = openPool(url, via);
    this.#sweeper = setInterval(() => this.#sweep(performance.now()), via.limits.sweepMs).unref();
  }

  /** Takes an exchange in; false when there are too many. */
  enter(exchange: Exchange): boolean {
    if (this.#exchanges.size >= this.limits.exchanges) {
      this.#via.metrics?.limitsHit.inc({ limit: "upstream_exchanges" });
      return false;
    }
    this.#exchanges.add(exchange);
    return true;
  }

  leave(exchange: Exchange): void {
    this.#exchanges.delete(exchange);
  }

  drain(exchange: Exchange): void {
    this.#draining.set(exchange, performance.now());
  }

  drained(exchange: Exchange): void {
    this.#draining.delete(exchange);
  }

  /** Names and values in turn. */
  async credentials(): Promise<readonly string[]> {
    const headers = await this.#target.headers();
    if (headers !== this.#flatOf) {
      this.#flat = credentialHeaders(headers);
      this.#flatOf = headers;
      this.#secrets = secretsOf(headers);
    }
    return this.#flat;
  }

  /** A message of the server's without the credentials it was called with; null when that is no message. */
  cleaned(read: ReadMessage | null): ReadMessage | null {
    return read === null || this.#secrets.length === 0 ? read : withoutSecrets(read, this.#secrets);
  }

  /** Renews the credentials, once for all that were refused with the same ones. */
  renew(generation: number): Promise<boolean> {
    if (generation < this.generation) return Promise.resolve(true);
    this.#renewing ??= this.#target
      .renew()
      .then((renewed) => {
        if (renewed) this.generation += 1;
        return renewed;
      })
      .finally(() => {
        this.#renewing = null;
      });
    return this.#renewing;
  }

  dispatch(
    asked: { method: Asked["method"]; path: string | null; headers: string[]; body: string | null },
    exchange: Exchange,
  ): void {
    const { idleMs } = this.limits;
    const { method, headers, body } = asked;
    const path = asked.path ?? this.#path;
    const bodyTimeout = exchange.endless ? 0 : idleMs;
    this.#pool.dispatch({ path, method, headers, body, headersTimeout: idleMs, bodyTimeout }, exchange);
  }

  reached(): void {
    this.#reachable = true;
    this.#problem = null;
  }

  failed(failure: UpstreamFailure): void {
    this.#reachable = false;
    this.#problem = failure.message;
  }

  tooLarge(status: number): UpstreamFailure {
    this.#via.metrics?.limitsHit.inc({ limit: "upstream_message_bytes" });
    return this.failures.tooLarge(status, this.limits.messageBytes);
  }

  /** Looks at a message of the server's on its way down. */
  passing(message: Message): void {
    if (message.method === "notifications/tools/list_changed") this.#via.onToolsChanged();
    else if (message.error !== undefined && errorCodeOf(message) === RPC.unsupportedVersion) {
      this.#via.onVersionRefused();
    }
  }

  state(): { readonly reachable: boolean | null; readonly problem: string | null } {
    return { reachable: this.#reachable, problem: this.#problem };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#sweeper);
    const cancelled = this.failures.cancelled(true);
    for (const exchange of [...this.#exchanges]) exchange.stop(cancelled);
    await this.#pool.destroy();
  }

  #sweep(nowMs: number): void {
    for (const exchange of [...this.#exchanges]) {
      if (!exchange.endless && nowMs - exchange.startedAt > this.limits.totalMs) exchange.expire();
    }
    for (const [exchange, since] of [...this.#draining]) {
      if (nowMs - since <= this.limits.drainMs) continue;
      this.#draining.delete(exchange);
      exchange.cut();
    }
  }
}

function openPool(url: URL, { connect, limits }: Via): Pool {
  return new Pool(url.origin, {
    connect,
    allowH2: false,
    pipelining: 1,
    connections: null,
    keepAliveTimeout: limits.keepAliveMs,
    keepAliveMaxTimeout: limits.keepAliveMaxMs,
    maxHeaderSize: limits.headBytes,
  });
}
