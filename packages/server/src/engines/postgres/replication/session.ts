/** One connection's life: connect, look at the slot, stream until it is cut, tell why. */
import type { Client } from "pg";
import type { Clock } from "../../../kernel/clock.ts";
import { TransactionAssembler } from "./assembler.ts";
import type { ChangeStreamOptions } from "./change-stream.ts";
import { payloadOffset, readFrame, statusUpdate } from "./copy-both.ts";
import type { Delivery } from "./delivery.ts";
import { errors } from "./errors.ts";
import { heartbeat, type Pulse } from "./heartbeat.ts";
import { limits } from "./limits.ts";
import { earlierLsn, formatLsn, laterLsn } from "./lsn.ts";
import { parseMessage } from "./pgoutput.ts";
import { copySlot, missingPublications, type SlotStatus, slotStatus } from "./slots.ts";
import { connectWalsender, logEnd, ReplicationStream } from "./walsender.ts";

export interface SessionOptions {
  stream: Pick<ChangeStreamOptions, "connection" | "slot" | "copyOf" | "publications" | "retainFrom" | "log">;
  delivery: Delivery;
  clock: Clock;
  /**
   * Called before the first delivery; `missed` is the range that lies between the delivery and the slot, `end` where
   * the log ended.
   */
  onStreaming(slot: SlotStatus, missed: { from: bigint; to: bigint } | null, end: bigint): void;
  /** Cuts the attempt to connect; a running session is ended with `end`. */
  signal: AbortSignal;
}

/** What `openSession` found: a running session, or that the slot cannot be read any more. */
export type Opened =
  | { kind: "streaming"; session: Session }
  | { kind: "slot_missing"; error: unknown }
  | { kind: "slot_lost"; error: unknown; slot: SlotStatus };

/** Connects and starts streaming where the delivery stands. Rejects with whatever may be otherwise next time. */
export async function openSession(options: SessionOptions): Promise<Opened> {
  const cut = new AbortController();
  const onAbort = () => cut.abort(options.signal.reason);
  options.signal.addEventListener("abort", onAbort);
  const deadline = setTimeout(() => cut.abort(errors.REPLICATION_CONNECTION_LOST()), limits.connectMs);
  try {
    options.signal.throwIfAborted();
    const client = await connectWalsender(options.stream.connection, cut.signal);
    const opened = await startOn(client, options);
    if (opened.kind !== "streaming") cut.abort();
    return opened;
  } catch (error) {
    cut.abort();
    throw error;
  } finally {
    clearTimeout(deadline);
    options.signal.removeEventListener("abort", onAbort);
  }
}

async function startOn(client: Client, options: SessionOptions): Promise<Opened> {
  const { delivery } = options;
  const { log, publications } = options.stream;
  client.on("notice", ({ code, message }) => log.warn({ slot: options.stream.slot, code }, message));
  const slot = await findSlot(client, options.stream);
  if (!slot) return { kind: "slot_missing", error: errors.REPLICATION_SLOT_MISSING() };
  if (slot.lost) {
    const details = { walStatus: slot.walStatus, invalidationReason: slot.invalidationReason };
    return { kind: "slot_lost", error: errors.REPLICATION_SLOT_LOST({ details }), slot };
  }
  const reached = delivery.progress.lsn;
  const end = await logEnd(client);
  if (end < reached) {
    const details = { reached: formatLsn(reached), end: formatLsn(end) };
    return { kind: "slot_lost", error: errors.REPLICATION_LOG_REPLACED({ details }), slot };
  }
  // From version 18 on the server passes over a publication that does not exist, and so over its changes.
  const missing = await missingPublications(client, publications);
  if (missing.length > 0)
    throw errors.REPLICATION_PUBLICATION_MISSING({ details: { publications: missing } });
  const confirmed = slot.confirmedFlushLsn ?? 0n;
  const session = new Session(client, options, { name: slot.name, confirmed });
  const missed = reached > 0n && confirmed > reached ? { from: reached, to: confirmed } : null;
  await session.start(() => options.onStreaming(slot, missed, end));
  return { kind: "streaming", session };
}

/** The slot to read from; made here if it is to be a copy. A copy is as good as its source is while it is made. */
async function findSlot(
  client: Client,
  { slot, copyOf }: SessionOptions["stream"],
): Promise<SlotStatus | null> {
  if (!copyOf) return slotStatus(client, slot);
  let found: SlotStatus | null = null;
  for (const source of copyOf()) {
    const status = await slotStatus(client, source);
    found ??= status;
    if (status === null || status.lost) continue;
    // The process id makes the name one that no other living connection has.
    const name = `${slot}_${(client as unknown as { processID: number }).processID}`;
    const confirmedFlushLsn = await copySlot(client, source, name);
    return { ...status, name, confirmedFlushLsn, temporary: true };
  }
  return found;
}

/** A running stream: turns frames into deliveries and keeps the server informed. */
export class Session {
  readonly #options: SessionOptions;
  readonly #slot: string;
  readonly #confirmed: bigint;
  readonly #assembler: TransactionAssembler;
  readonly #stream: ReplicationStream;
  readonly #pulse: Pulse;
  #heard = true;
  #paused = false;

  /** Makes the delivery take from this stream; `confirmed` is where the slot stands. */
  constructor(
    client: Client,
    options: SessionOptions,
    { name, confirmed }: { name: string; confirmed: bigint },
  ) {
    this.#options = options;
    this.#slot = name;
    this.#confirmed = confirmed;
    options.delivery.start(confirmed, {
      onFailure: (error) => this.#stream.destroy(error),
      onPressure: (high) => this.#setPaused(high),
    });
    this.#assembler = new TransactionAssembler(options.delivery.progress, options.clock);
    this.#stream = new ReplicationStream(client, (frame) => this.#onFrame(frame));
    const now = options.clock();
    this.#pulse = { reportedLsn: 0n, reportedAtMs: now, heardAtMs: now };
  }

  /** Resolves when the connection is gone, with the error that ended it if there was one. */
  get closed(): Promise<unknown> {
    return this.#stream.closed;
  }

  async start(onStarted: () => void): Promise<void> {
    const { publications } = this.#options.stream;
    await this.#stream.start(
      { slot: this.#slot, publications, from: this.#options.delivery.progress.lsn },
      onStarted,
    );
    const timer = setInterval(() => this.#tick(), limits.reportMs / 2);
    void this.closed.then(() => clearInterval(timer));
  }

  /** Reports the last position and closes in good order. */
  async end(): Promise<void> {
    this.#report(false);
    await this.#stream.end();
  }

  #onFrame(frame: Buffer): void {
    this.#heard = true;
    const { delivery } = this.#options;
    const keepalive = readFrame(frame);
    if (keepalive === null) {
      const assembled = this.#assembler.accept(parseMessage(frame, payloadOffset), frame.length);
      if (assembled) delivery.push(assembled);
      return;
    }
    if (!this.#assembler.insideTransaction) delivery.passed(keepalive.sentLsn);
    if (keepalive.replyRequested) this.#report(false);
  }

  /** A paused socket is not read; status updates go out all the same. */
  #setPaused(paused: boolean): void {
    this.#paused = paused;
    if (paused) this.#stream.pause();
    else this.#stream.resume();
  }

  #tick(): void {
    const now = this.#options.clock();
    if (this.#heard || this.#paused) this.#pulse.heardAtMs = now;
    this.#heard = false;
    const verdict = heartbeat(this.#pulse, this.#ackLsn(), now);
    if (verdict === "dead") {
      this.#stream.destroy(errors.REPLICATION_CONNECTION_LOST({ details: { silentMs: limits.silenceMs } }));
    } else if (verdict !== "quiet") {
      this.#report(verdict === "ping");
    }
  }

  #report(replyRequested: boolean): void {
    const lsn = this.#ackLsn();
    const now = this.#options.clock();
    this.#pulse.reportedLsn = lsn;
    this.#pulse.reportedAtMs = now;
    this.#stream.send(statusUpdate(lsn, now, replyRequested));
  }

  /** What the handler has finished with, held back to what the caller wants kept, and never going back. */
  #ackLsn(): bigint {
    const { lsn } = this.#options.delivery.progress;
    const kept = this.#options.stream.retainFrom?.() ?? lsn;
    return laterLsn(this.#confirmed, earlierLsn(kept, lsn));
  }
}
