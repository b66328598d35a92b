import type { Duplex } from "node:stream";
import type { RawData, WebSocket } from "ws";
import type { Connection, Transport } from "../../features/realtime/connection.ts";
import { errorFrame, type Frame, resyncFrame } from "../../features/realtime/frames.ts";
import type { Viewer } from "../../features/realtime/subscriptions.ts";
import { viewerOf } from "../../features/realtime/viewer.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Principal } from "../../kernel/principal.ts";
import { limits } from "./limits.ts";
import type { Ending } from "./standing.ts";

/** Who a connection speaks for, as far as the door has to keep watching. */
export interface Credential {
  readonly authorization: string | undefined;
  readonly ip: string;
  readonly principal: Principal;
}

export interface ClientSocketOptions {
  readonly appId: string;
  readonly credential: Credential;
  readonly clock: Clock;
  /** Whom a fresh token speaks for; throws the error to tell the client. */
  authenticate(token: string): Promise<Credential>;
  onClosed(socket: ClientSocket): void;
  onLimit(limit: string): void;
}

/** One client's WebSocket: messages in, frames out, never more of either than the limits allow. */
export class ClientSocket implements Transport {
  readonly #ws: WebSocket;
  readonly #raw: Duplex;
  readonly #options: ClientSocketOptions;
  #credential: Credential;
  #connection: Connection | null = null;
  #alive = true;
  #windowStartMs = 0;
  #messages = 0;
  #ended = false;

  constructor(ws: WebSocket, raw: Duplex, options: ClientSocketOptions) {
    this.#ws = ws;
    this.#raw = raw;
    this.#options = options;
    this.#credential = options.credential;
    ws.on("error", () => {}); // what is wrong with it closes it
    ws.on("pong", () => {
      this.#alive = true;
    });
    ws.on("close", () => {
      this.#connection?.close();
      options.onClosed(this);
    });
  }

  get appId(): string {
    return this.#options.appId;
  }

  get credential(): Credential {
    return this.#credential;
  }

  /** Hands the client's messages to the conversation from here on; none has been read before. */
  open(connection: Connection): void {
    this.#connection = connection;
    this.#ws.on("message", (data: RawData, isBinary: boolean) => this.#onMessage(data, isBinary));
  }

  async authenticate(token: string): Promise<{ viewer: Viewer; adopt(): void }> {
    const credential = await this.#options.authenticate(token);
    const adopt = () => {
      this.#credential = credential;
    };
    return { viewer: viewerOf(credential.principal), adopt };
  }

  /** Writes the frames in one go. A client with too much unread is closed: nothing waits for it. */
  send(frames: readonly Frame[]): void {
    if (this.#ended || this.#ws.readyState !== this.#ws.OPEN) return;
    if (this.#ws.bufferedAmount > limits.queuedBytes) {
      this.#options.onLimit("realtime_queued_bytes");
      this.#write([resyncFrame(null, "too_slow")]);
      this.#close({ code: 1013, reason: "Too slow" });
      return;
    }
    this.#write(frames);
  }

  /** Says why and closes. */
  end({ message, code, reason }: Ending): void {
    if (this.#ended) return;
    this.#write([errorFrame(message)]);
    this.#close({ code, reason });
  }

  goAway(): void {
    this.#close({ code: 1001, reason: "Server shutting down" });
  }

  /** To be called once per heartbeat; a client not heard of since the last one is gone. */
  heartbeat(frame: Frame): void {
    if (!this.#alive) {
      this.#ws.terminate();
      return;
    }
    this.#alive = false;
    this.send([frame]);
    this.#ws.ping();
  }

  terminate(): void {
    this.#ws.terminate();
  }

  #onMessage(data: RawData, isBinary: boolean): void {
    this.#alive = true;
    if (this.#ended) return;
    const nowMs = this.#options.clock();
    if (nowMs - this.#windowStartMs >= 1_000) {
      this.#windowStartMs = nowMs;
      this.#messages = 0;
    }
    this.#messages += 1;
    if (this.#messages > limits.messagesPerSecond) {
      this.#options.onLimit("realtime_messages_per_second");
      const message = `Too many messages: at most ${limits.messagesPerSecond} per second.`;
      this.end({ message, code: 1008, reason: "Too many messages" });
    } else if (isBinary) {
      this.send([errorFrame("Send JSON as text messages.")]);
    } else {
      this.#connection?.receive(data.toString());
    }
  }

  #write(frames: readonly Frame[]): void {
    this.#raw.cork();
    for (const frame of frames) this.#ws.send(frame, { binary: false });
    this.#raw.uncork();
  }

  #close({ code, reason }: { code: number; reason: string }): void {
    this.#ended = true;
    this.#connection?.close();
    this.#ws.close(code, reason);
    setTimeout(() => this.#ws.terminate(), limits.closeMs).unref();
  }
}
