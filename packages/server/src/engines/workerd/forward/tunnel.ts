import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { AmbitError } from "../../../kernel/errors.ts";
import { workerdErrors } from "../errors.ts";
import { limits } from "../limits.ts";
import type { Exchange, Outcome, UpgradeOptions } from "../types.ts";
import type { AnswerHead } from "./answer-head.ts";
import { AnswerParser } from "./answer-parser.ts";
import { closeFrame, FrameCursor, POLICY_VIOLATION, SERVICE_RESTART } from "./frames.ts";
import { errorAnswer, plainHead, switchingHead } from "./raw-answer.ts";
import { connectReading } from "./read-buffer.ts";
import { requestHead } from "./request-head.ts";

/** Who keeps the tunnels of a process. */
export interface TunnelOwner {
  /** The handshake is done: from here on it is a socket, not a request. */
  onOpen(tunnel: Tunnel): void;
  onOver(tunnel: Tunnel, end: Outcome["end"]): void;
  /** The process is known to be gone or going. */
  readonly gone: boolean;
}

/** What the client is told when the connection is ended from here. */
interface Farewell {
  readonly code: number;
  readonly reason: string;
  readonly end: Outcome["end"];
}

type Phase = "handshake" | "plain" | "open" | "lost" | "closing" | "over";

/** A client's socket joined to one of a process: bytes both ways, untouched. */
export class Tunnel {
  readonly requestId: string;
  readonly unit: string;
  readonly #owner: TunnelOwner;
  readonly #client: Duplex;
  readonly #upstream: Socket;
  readonly #options: UpgradeOptions;
  readonly #documentationBase: string;
  readonly #resolve: (outcome: Outcome) => void;
  readonly #parser = new AnswerParser();
  readonly #cursor = new FrameCursor();
  readonly #head: string;
  /** What the client sent before the handshake is done. */
  #early: Buffer[];
  #earlyBytes = 0;
  readonly startedMs = performance.now();
  #phase: Phase = "handshake";
  #timer: NodeJS.Timeout | null = null;
  #closeWanted = false;
  #farewell: Farewell = { code: SERVICE_RESTART, reason: "service restart", end: "process_lost" };
  #status = 0;
  #bytesIn = 0;
  #bytesOut = 0;
  #end: Outcome["end"] = "answered";

  /** Throws BadRequestHead for an exchange that can't be written. */
  constructor(
    owner: TunnelOwner,
    path: string,
    exchange: Exchange,
    unit: string,
    client: Duplex,
    early: Buffer,
    options: UpgradeOptions,
    documentationBase: string,
    resolve: (outcome: Outcome) => void,
  ) {
    this.#head = requestHead(exchange, "none", "websocket");
    this.#early = early.length > 0 ? [early] : [];
    this.#earlyBytes = early.length;
    this.#owner = owner;
    this.requestId = exchange.requestId;
    this.unit = unit;
    this.#client = client;
    this.#options = options;
    this.#documentationBase = documentationBase;
    this.#resolve = resolve;
    this.#upstream = connectReading(path, (bytes) => this.#onUpstreamBytes(bytes));
    if (exchange.timeoutMs !== null) this.#timer = setTimeout(() => this.#onTimeout(), exchange.timeoutMs);
    this.#parser.expect(exchange.method, {
      onHead: (answer) => this.#onPlainHead(answer),
      onBody: (chunk) => this.#toClient(Buffer.from(chunk)),
      onEnd: () => this.#finishPlain(),
      onUpgrade: (answer, rest) => this.#onSwitch(answer, rest),
    });
  }

  start(): void {
    this.#upstream.write(this.#head, "latin1");
    this.#listen();
    const { signal } = this.#options;
    if (signal?.aborted) this.#turnAway(signal.reason);
    else signal?.addEventListener("abort", () => this.#turnAway(signal.reason), { once: true });
  }

  /** The client may not be connected any more. */
  #turnAway(reason: unknown): void {
    const why = reason instanceof Error ? reason.message : "";
    this.#farewell = { code: POLICY_VIOLATION, reason: why, end: "answered" };
    if (this.#phase === "handshake" || this.#phase === "plain") this.#finish("caller_gone");
    else if (this.#phase === "lost") this.#sayFarewell();
    else if (this.#phase === "open") {
      this.#closeWanted = true;
      this.#closeAtBoundary();
    }
  }

  /** The process goes away: the client is told so in a proper way where the protocol allows one. */
  restart(): void {
    if (this.#phase === "handshake") this.#refuse(workerdErrors.RUNTIME_STOPPED(), "process_lost");
    else if (this.#phase === "lost") this.#sayFarewell();
    else if (this.#phase === "open") {
      this.#closeWanted = true;
      this.#closeAtBoundary();
    }
  }

  /** Cuts whatever is left. */
  cut(): void {
    if (this.#phase === "handshake") this.#refuse(workerdErrors.RUNTIME_STOPPED(), "process_lost");
    else if (this.#phase === "plain") this.#finish("process_lost");
    else this.#finish(this.#end);
  }

  #listen(): void {
    const client = this.#client;
    const upstream = this.#upstream;
    client.on("error", () => this.#onClientGone());
    client.on("close", () => this.#onClientGone());
    client.on("end", () => this.#onClientEnd());
    client.on("drain", () => upstream.resume());
    client.on("data", (chunk: Buffer) => this.#onClientBytes(chunk));
    upstream.on("drain", () => client.resume());
    upstream.on("error", () => this.#onUpstreamGone());
    upstream.on("end", () => this.#onUpstreamGone());
    upstream.on("close", () => this.#onUpstreamGone());
    if (client.destroyed) this.#onClientGone();
  }

  #onClientBytes(chunk: Buffer): void {
    if (this.#phase === "handshake") {
      // Before the process has switched it would read them as requests, which no door has looked at.
      this.#early.push(chunk);
      this.#earlyBytes += chunk.length;
      if (this.#earlyBytes > limits.earlyBytes) this.#client.pause();
      return;
    }
    if (this.#phase !== "open") return;
    this.#bytesIn += chunk.length;
    if (!this.#upstream.write(chunk)) this.#client.pause();
  }

  #onUpstreamBytes(bytes: Buffer): boolean {
    if (this.#phase === "open") {
      const copy = Buffer.from(bytes);
      this.#cursor.push(copy);
      this.#toClient(copy);
      if (this.#closeWanted) this.#closeAtBoundary();
      return true;
    }
    if (this.#phase !== "handshake" && this.#phase !== "plain") return true;
    try {
      this.#parser.push(bytes);
    } catch {
      this.#onUpstreamGone();
    }
    return true;
  }

  #toClient(chunk: Buffer): void {
    this.#bytesOut += chunk.length;
    if (!this.#client.write(chunk)) this.#upstream.pause();
  }

  #onSwitch(head: AnswerHead, rest: Buffer): void {
    this.#stopTimer();
    this.#status = 101;
    this.#phase = "open";
    // What may not leave in a plain answer may not leave in this one either: browsers keep its cookies.
    const headers = this.#options.onHeaders?.(head.status, head.headers) ?? head.headers;
    this.#client.write(switchingHead({ ...head, headers }, this.#options.selectProtocol ?? null), "latin1");
    this.#owner.onOpen(this);
    if (rest.length > 0) {
      this.#cursor.push(rest);
      this.#toClient(rest);
    }
    this.#client.resume();
    for (const chunk of this.#early.splice(0)) this.#onClientBytes(chunk);
  }

  #onPlainHead(head: AnswerHead): void {
    this.#stopTimer();
    this.#status = head.status;
    this.#phase = "plain";
    this.#early = [];
    this.#client.resume();
    const headers = this.#options.onHeaders?.(head.status, head.headers) ?? head.headers;
    this.#client.write(plainHead({ ...head, headers }), "latin1");
  }

  #finishPlain(): void {
    this.#phase = "closing";
    this.#client.end();
    this.#finishSoon();
  }

  #onClientEnd(): void {
    if (this.#phase === "open") this.#upstream.end();
    else if (this.#phase === "handshake") this.#onClientGone();
    else if (this.#phase !== "plain") this.#finish(this.#end);
  }

  #onClientGone(): void {
    this.#finish(this.#phase === "handshake" || this.#phase === "plain" ? "caller_gone" : this.#end);
  }

  #onUpstreamGone(): void {
    switch (this.#phase) {
      case "handshake":
        this.#refuse(workerdErrors.RUNTIME_STOPPED(), "process_lost");
        break;
      case "plain":
        if (!this.#parser.end()) this.#finish("process_lost");
        break;
      case "open":
        if (this.#cursor.sawClose) {
          this.#phase = "closing";
          this.#client.end();
          this.#finishSoon();
        } else if (this.#closeWanted || this.#owner.gone) this.#sayFarewell();
        else {
          // Either user code dropped the socket, which is passed on as it is, or the process died: known in a moment.
          this.#phase = "lost";
          this.#timer = setTimeout(() => this.#finish("answered"), limits.lossMs);
        }
        break;
      default:
        break;
    }
  }

  #closeAtBoundary(): void {
    if (this.#phase === "open" && this.#cursor.atBoundary) this.#sayFarewell();
  }

  #sayFarewell(): void {
    this.#stopTimer();
    this.#end = this.#farewell.end;
    this.#phase = "closing";
    this.#upstream.destroy();
    if (!this.#cursor.atBoundary) {
      this.#finish(this.#end);
      return;
    }
    if (this.#cursor.sawClose) this.#client.end();
    else this.#client.end(closeFrame(this.#farewell.code, this.#farewell.reason));
    this.#client.resume();
    this.#finishSoon();
  }

  #refuse(error: AmbitError, end: Outcome["end"]): void {
    this.#stopTimer();
    this.#status = error.status;
    this.#end = end;
    this.#phase = "closing";
    this.#upstream.destroy();
    this.#client.end(errorAnswer(error, this.#documentationBase), "latin1");
    this.#finishSoon();
  }

  #onTimeout(): void {
    this.#refuse(workerdErrors.RUNTIME_TIMEOUT(), "timeout");
  }

  /** The client has all that is meant for it; it may close in its own time, within bounds. */
  #finishSoon(): void {
    this.#timer = setTimeout(() => this.#finish(this.#end), limits.closeHandshakeMs);
    if (this.#client.readableEnded) this.#client.once("finish", () => this.#finish(this.#end));
  }

  #stopTimer(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #finish(end: Outcome["end"]): void {
    if (this.#phase === "over") return;
    this.#phase = "over";
    this.#stopTimer();
    this.#upstream.destroy();
    this.#client.destroy();
    this.#owner.onOver(this, end);
    this.#resolve({
      status: this.#status,
      durationMs: performance.now() - this.startedMs,
      bytesIn: this.#bytesIn,
      bytesOut: this.#bytesOut,
      end,
      waiting: false,
    });
  }
}
