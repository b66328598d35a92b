import { connect, type Socket } from "node:net";
import { groupOf, turnOf } from "./ids.ts";
import { FrameReader, maskedText, OPCODE, PONG, upgradeRequest } from "./wire.ts";

/** What all clients of a worker write into. */
export interface Tally {
  deliveries: number;
  /** Milliseconds since the epoch, of the newest delivery. */
  lastAtMs: number;
  problem: string | undefined;
  /** Milliseconds from a row's own time to its frame, of every `sampleEvery`-th client. */
  readonly latenciesMs: number[];
}

export interface ClientPlan {
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly token: string | null;
  /** Rows of this group, and no others, are to be shown. */
  readonly group: number;
  /** Tables are not subscribed to when null. */
  readonly table: string | null;
  readonly sampled: boolean;
}

const H = "h".charCodeAt(0);
const ZERO = 48;
const END_OF_HEAD = "\r\n\r\n";
const RECORD_ID = '"record":{"id":';
const AT = '"at":';
/** `{"type":"c`: what follows tells a change from other frames. */
const KIND_AT = 10;

/** All sockets of a process read into one buffer: what is read is looked at before the next read. */
const shared = Buffer.alloc(256 * 1024);

/**
 * One subscriber, as cheap as it can be. It checks every change: the right group, the next turn, hence nothing missing,
 * nothing twice, nothing of others, and the order kept.
 */
export class Client {
  readonly group: number;
  readonly ready: Promise<void>;
  /** Turn of the last row shown. */
  turn = 0;
  readonly #socket: Socket;
  readonly #tally: Tally;
  readonly #sampled: boolean;
  readonly #reader = new FrameReader();
  #head: string | null = "";
  #settle: { resolve(): void; reject(error: Error): void } | null;
  #subscribes: Buffer | null;

  constructor(plan: ClientPlan, tally: Tally) {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.ready = promise;
    this.#settle = { resolve, reject };
    this.group = plan.group;
    this.#tally = tally;
    this.#sampled = plan.sampled;
    this.#subscribes =
      plan.table === null ? null : maskedText(JSON.stringify({ type: "subscribe", table: plan.table }));
    this.#socket = connect({
      host: plan.host,
      port: plan.port,
      noDelay: true,
      onread: {
        buffer: shared,
        callback: (length, buffer) => {
          this.#take(Buffer.from(buffer.buffer, buffer.byteOffset, length));
          return true;
        },
      },
    });
    this.#socket.on("error", (error) => this.#fail(error.message));
    this.#socket.on("close", () => this.#fail("the server closed a connection"));
    this.#socket.write(upgradeRequest(`${plan.host}:${plan.port}`, plan.path, plan.token));
  }

  /** Ends without the pause in which the port stays taken. */
  close(): void {
    this.#settle = null;
    this.#socket.removeAllListeners("close");
    this.#socket.resetAndDestroy();
  }

  #take(bytes: Buffer): void {
    if (this.#head === null) {
      this.#reader.push(bytes, this.#onFrame);
      return;
    }
    this.#head += bytes.toString("latin1");
    const end = this.#head.indexOf(END_OF_HEAD);
    if (end === -1) return;
    const head = this.#head;
    this.#head = null;
    if (head.startsWith("HTTP/1.1 101"))
      this.#reader.push(Buffer.from(head.slice(end + END_OF_HEAD.length), "latin1"), this.#onFrame);
    else this.#fail(head.slice(0, 600));
  }

  readonly #onFrame = (opcode: number, bytes: Buffer, from: number, to: number): void => {
    if (opcode === OPCODE.text) {
      if (bytes[from + KIND_AT] === H) this.#onChange(bytes, from, to);
      else this.#onOther(JSON.parse(bytes.toString("utf8", from, to)));
    } else if (opcode === OPCODE.ping) this.#socket.write(PONG);
    else if (opcode === OPCODE.close) this.#fail(`closed: ${bytes.toString("utf8", from, to)}`);
  };

  #onChange(bytes: Buffer, from: number, to: number): void {
    const id = numberAfter(bytes, RECORD_ID, from, to);
    if (groupOf(id) !== this.group || turnOf(id) !== this.turn + 1) {
      const text = bytes.toString("utf8", from, to);
      this.#fail(`group ${this.group} waited for turn ${this.turn + 1} and was shown ${text}`);
      return;
    }
    this.turn += 1;
    const nowMs = performance.timeOrigin + performance.now();
    this.#tally.deliveries += 1;
    this.#tally.lastAtMs = nowMs;
    if (this.#sampled) this.#tally.latenciesMs.push(nowMs - numberAfter(bytes, AT, from, to) / 1_000);
  }

  #onOther(frame: { type: string; table?: string }): void {
    switch (frame.type) {
      case "connected":
        if (this.#subscribes === null) this.#done();
        else this.#socket.write(this.#subscribes);
        this.#subscribes = null;
        return;
      case "subscribed":
        this.#done();
        return;
      case "heartbeat":
        return;
      default:
        this.#fail(`an unexpected frame: ${JSON.stringify(frame)}`);
    }
  }

  #done(): void {
    this.#settle?.resolve();
    this.#settle = null;
  }

  #fail(problem: string): void {
    this.#tally.problem ??= problem;
    this.#settle?.reject(new Error(problem));
    this.#settle = null;
  }
}

/** The whole number behind a text; the text's place is looked for in the bytes. */
function numberAfter(bytes: Buffer, text: string, from: number, to: number): number {
  let at = bytes.indexOf(text, from, "latin1") + text.length;
  let number = 0;
  for (let digit = bytes[at]! - ZERO; at < to && digit >= 0 && digit <= 9; digit = bytes[++at]! - ZERO)
    number = number * 10 + digit;
  return number;
}
