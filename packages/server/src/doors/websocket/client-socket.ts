import type { Duplex } from "node:stream";
import { type RawData, WebSocket } from "ws";
import type { Connection, Transport } from "../../features/realtime/connection.ts";
import { errorFrame, type Frame, resyncFrame } from "../../features/realtime/frames.ts";
import type { Viewer } from "../../features/realtime/subscriptions.ts";
import { viewerOf } from "../../features/realtime/viewer.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Principal } from "../../kernel/principal.ts";
import type { Backlog, Behind } from "./backlog.ts";
import type { Beating } from "./heartbeats.ts";
import { type Holder, holderOf } from "./holders.ts";
import { limits } from "./limits.ts";
import { inPieces, toKeep } from "./pieces.ts";
import type { RealtimeWebSocket, SocketOwner } from "./realtime-web-socket.ts";
import { type Ending, tooLarge, tooManyMessages } from "./standing.ts";

/** Who a connection speaks for, as far as the door has to keep watching. */
export interface Credential {
  readonly authorization: string | undefined;
  readonly ip: string;
  readonly principal: Principal;
}

/** What all client sockets of a door have in common. */
export interface ClientSocketPorts {
  readonly clock: Clock;
  readonly backlog: Backlog<ClientSocket>;
  /** Whom a fresh token speaks for; throws the error to tell the client. */
  authenticate(socket: ClientSocket, token: string): Promise<Credential>;
  onClosed(socket: ClientSocket): void;
  onLimit(limit: string): void;
}

/**
 * One client's WebSocket: messages in, frames out, never more of either than the limits allow. There are very many of
 * them: handlers are shared, and what all have in common is kept once.
 */
export class ClientSocket implements Transport, SocketOwner, Behind, Holder, Beating {
  readonly appId: string;
  readonly holderKind: Holder["holderKind"];
  readonly holderId: string;
  heartbeatSlot = 0;
  readonly #ws: RealtimeWebSocket;
  readonly #raw: Duplex;
  readonly #ports: ClientSocketPorts;
  #credential: Credential;
  #connection: Connection | null = null;
  #alive = true;
  #windowStartMs = 0;
  #messages = 0;
  #ended = false;

  /** `raw` is the socket under `ws`. It must have been opened without compression. */
  constructor(
    ws: RealtimeWebSocket,
    raw: Duplex,
    appId: string,
    credential: Credential,
    ports: ClientSocketPorts,
  ) {
    this.appId = appId;
    this.#ws = ws;
    this.#raw = raw;
    this.#ports = ports;
    this.#credential = credential;
    const { holderKind, holderId } = holderOf(credential.principal, credential.ip);
    this.holderKind = holderKind;
    this.holderId = holderId;
    ws.attach(this);
  }

  get credential(): Credential {
    return this.#credential;
  }

  get queuedBytes(): number {
    return this.#raw.destroyed ? 0 : this.#raw.writableLength;
  }

  /** Something is missing of what the client is to get. */
  get unsettled(): boolean {
    return this.#connection?.unsettled ?? false;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Hands the client's messages to the conversation from here on; none has been read before. */
  open(connection: Connection): void {
    this.#connection = connection;
    this.#ws.readMessages();
  }

  async authenticate(token: string): Promise<{ viewer: Viewer; adopt(): void }> {
    const credential = await this.#ports.authenticate(this, token);
    const adopt = () => {
      this.#credential = credential;
    };
    return { viewer: viewerOf(credential.principal), adopt };
  }

  /** Writes the frames in one go. A client with too much unread is closed: nothing waits for it. */
  send(frames: readonly Frame[]): void {
    if (this.#ended || this.#ws.readyState !== WebSocket.OPEN) return;
    if (this.#raw.writableLength > limits.queuedBytes) {
      this.#ports.onLimit("realtime_queued_bytes");
      this.#tooSlow();
    } else {
      this.#write(inPieces(frames));
    }
  }

  /** All slow clients together have too much unread, and this is among the slowest. */
  cutOff(): void {
    if (this.#ended) return;
    this.#ports.onLimit("realtime_queued_bytes_all");
    this.#tooSlow();
  }

  /** Says why and closes. */
  end({ message, code, reason, error }: Ending): void {
    if (this.#ended) return;
    this.#close(errorFrame(message, error), {
      code,
      reason,
    });
  }

  goAway(): void {
    if (!this.#ended) this.#close(null, { code: 1001, reason: "Server shutting down" });
  }

  /** To be called once per heartbeat, with a frame and a ping; a client not heard of since the last one is gone. */
  heartbeat(bytes: Buffer): void {
    if (!this.#alive) {
      this.terminate();
      return;
    }
    this.#alive = false;
    this.send([bytes]);
  }

  terminate(): void {
    this.#ended = true;
    this.#ws.terminate();
  }

  heard(): void {
    this.#alive = true;
  }

  broke(error: Error & { code?: string }): void {
    if (error.code === "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH") this.#ports.onLimit("realtime_message_bytes");
  }

  closed(): void {
    this.#ended = true;
    this.#connection?.close();
    this.#ports.backlog.remove(this);
    this.#ports.onClosed(this);
  }

  receive(data: RawData, isBinary: boolean): void {
    this.#alive = true;
    if (this.#ended) return;
    const nowMs = this.#ports.clock();
    if (nowMs - this.#windowStartMs >= 1_000) {
      this.#windowStartMs = nowMs;
      this.#messages = 0;
    }
    this.#messages += 1;
    if (this.#messages > limits.messagesPerSecond) {
      this.#ports.onLimit("realtime_messages_per_second");
      this.end(tooManyMessages);
    } else if ((data as Buffer).length > limits.messageBytes) {
      this.#ports.onLimit("realtime_message_bytes");
      this.end(tooLarge);
    } else if (isBinary) {
      this.send([errorFrame("Send JSON as text messages.")]);
    } else {
      this.#connection?.receive(data.toString());
    }
  }

  /**
   * Past the library, which would make each frame anew: it writes whole frames too, at once, and compresses nothing, so
   * frames of both stay whole and in order.
   */
  #write(pieces: readonly Buffer[]): void {
    const raw = this.#raw;
    const behind = raw.writableLength > 0;
    if (pieces.length === 1) {
      raw.write(behind ? toKeep(pieces[0]!) : pieces[0]);
    } else {
      raw.cork();
      for (const piece of pieces) raw.write(behind ? toKeep(piece) : piece);
      raw.uncork();
    }
    if (raw.writableLength > 0) this.#ports.backlog.note(this);
  }

  #tooSlow(): void {
    this.#close(resyncFrame(null, "too_slow"), { code: 1013, reason: "Too slow" });
  }

  #close(last: Frame | null, { code, reason }: { code: number; reason: string }): void {
    this.#ended = true;
    this.#connection?.close();
    if (last !== null && this.#ws.readyState === WebSocket.OPEN) this.#raw.write(last);
    this.#ws.close(code, reason);
    setTimeout(terminate, limits.closeMs, this.#ws).unref();
  }
}

const terminate = (ws: WebSocket): void => ws.terminate();
