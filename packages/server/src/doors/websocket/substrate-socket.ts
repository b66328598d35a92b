import type { Duplex } from "node:stream";
import type { WebSocket } from "ws";
import type { Frame, Peer, StreamHolder, StreamViewer } from "../../features/substrate-stream/service.ts";
import type { Clock } from "../../kernel/clock.ts";
import { limits } from "./substrate-limits.ts";
import { closeReason } from "./substrate-request.ts";

/** Close codes (RFC 6455 §7.4). */
export const CLOSE = { goingAway: 1001, notAllowed: 1008, tryAgainLater: 1013 } as const;

export interface SubstrateSocketOptions {
  readonly holder: StreamHolder;
  readonly viewer: StreamViewer;
  readonly clock: Clock;
  onClosed(socket: SubstrateSocket): void;
  onLimit(limit: string): void;
}

/** One client's stream: frames out, never more of them waiting than the limit allows. What the client says is ignored. */
export class SubstrateSocket implements Peer {
  readonly holder: StreamHolder;
  viewer: StreamViewer;
  readonly #ws: WebSocket;
  readonly #raw: Duplex;
  readonly #options: SubstrateSocketOptions;
  #alive = true;
  #ended = false;
  #windowStartMs = 0;
  #messages = 0;

  constructor(ws: WebSocket, raw: Duplex, options: SubstrateSocketOptions) {
    this.holder = options.holder;
    this.viewer = options.viewer;
    this.#ws = ws;
    this.#raw = raw;
    this.#options = options;
    ws.on("error", () => {}); // what is wrong with it closes it
    ws.on("pong", () => {
      this.#alive = true;
    });
    ws.on("message", () => this.#onMessage());
    ws.on("close", () => options.onClosed(this));
  }

  /** Names whose socket it is; the same for all of one holder. */
  get holderId(): string {
    return this.holder.kind === "key" ? `key ${this.holder.keyId}` : `app ${this.holder.appId}`;
  }

  send(frames: readonly Frame[]): void {
    if (this.#ended || this.#ws.readyState !== this.#ws.OPEN) return;
    if (this.#ws.bufferedAmount > limits.queuedBytes) {
      this.#options.onLimit("substrate_stream_queued_bytes");
      this.end(CLOSE.tryAgainLater, "Too slow: connect again with the last cursor");
      return;
    }
    this.#raw.cork();
    for (const frame of frames) this.#ws.send(frame, { binary: false });
    this.#raw.uncork();
  }

  end(code: number, reason: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#ws.close(code, closeReason(reason));
    setTimeout(() => this.#ws.terminate(), limits.closeMs).unref();
  }

  /** To be called once per `pingMs`: asks for a sign of life, and gives up a client that gave none since. */
  ping(): void {
    if (this.#alive) this.#ws.ping();
    else this.terminate();
    this.#alive = false;
  }

  terminate(): void {
    this.#ws.terminate();
  }

  #onMessage(): void {
    this.#alive = true;
    const nowMs = this.#options.clock();
    if (nowMs - this.#windowStartMs >= 1_000) {
      this.#windowStartMs = nowMs;
      this.#messages = 0;
    }
    this.#messages += 1;
    if (this.#messages <= limits.messagesPerSecond) return;
    this.#options.onLimit("substrate_stream_messages_per_second");
    this.end(CLOSE.notAllowed, `Too many messages: at most ${limits.messagesPerSecond} per second`);
  }
}
