import type { Database } from "../../engines/postgres/database.ts";
import {
  type ChangeStream,
  type ChangeStreamState,
  openChangeStream,
  type StatusDetail,
} from "../../engines/postgres/replication/change-stream.ts";
import type { Progress, Transaction } from "../../engines/postgres/replication/transactions.ts";
import type { LogRing } from "../../engines/postgres/replication/window.ts";
import type { Clock } from "../../kernel/clock.ts";
import { errors } from "../../kernel/errors.ts";
import type { Log } from "../../kernel/log.ts";
import { LogPlaces } from "./log-places.ts";
import type { NodeSession } from "./node-session.ts";

export interface ReadingPorts {
  readonly database: Database;
  readonly log: Log;
  readonly clock: Clock;
  readonly nodeId: string;
  readonly session: NodeSession;
  readonly ring: LogRing;
  publications(): readonly string[];
  /** Takes each committed transaction from the node's first connection on, in order and once. Must not wait. */
  deliver(transaction: Transaction): void;
  /** Changes between the last transaction and the next were lost. */
  onGap(): void;
  onStreaming(streaming: boolean): void;
  /** The log can't be read from here any more: the stream is to be closed, and opened in another epoch. */
  onLost(): void;
  /** A publication is gone. */
  onPublicationMissing(): void;
}

/** The stream of this node: opened and closed as often as one likes, it goes on where it was. */
export class Reading {
  readonly #ports: ReadingPorts;
  readonly #places = new LogPlaces();
  #stream: ChangeStream | null = null;
  /** The slot the stream reads from at this moment. */
  #live: string | null = null;
  /** Where to go on from while there is no stream; null: where the anchor is. */
  #progress: Progress | null = null;
  /** The epoch in which the stream began, or began again. */
  #epoch: string | null = null;
  #readable = false;
  /** What committed before is for the window alone. */
  #liveFrom: bigint | null = null;

  constructor(ports: ReadingPorts) {
    this.#ports = ports;
  }

  get isOpen(): boolean {
    return this.#stream !== null;
  }

  get streaming(): boolean {
    return this.#stream?.state === "streaming";
  }

  /** The log was read when that was tried last; nothing is wrong while it is not being read. */
  get readable(): boolean {
    return this.#readable;
  }

  /** The epoch to be given up when the log can't be read from here. */
  get epoch(): string | null {
    return this.#epoch;
  }

  /** Everything that committed before has been handed over; null before the first connection. */
  get position(): bigint | null {
    const lsn = (this.#stream?.progress ?? this.#progress)?.lsn ?? 0n;
    return lsn === 0n ? null : lsn;
  }

  /** Resolves when everything before `lsn` has been handed over; rejects when the reading begins anew before. */
  reach(lsn: bigint): Promise<void> {
    const reached = this.#places.reach(lsn);
    this.#places.reached(this.position ?? 0n);
    return reached;
  }

  /** Begins to read through a copy of the kept place or, if there is none, of the anchor. */
  open(anchor: string, epoch: string): void {
    const { database, log, nodeId, publications, session } = this.#ports;
    const from = this.#progress;
    if (from === null) this.#epoch = epoch;
    this.#stream = openChangeStream({
      connection: database.target,
      slot: `ambit_read_${nodeId}`,
      copyOf: () => (session.kept === null ? [anchor] : [session.kept, anchor]),
      publications: publications(),
      ...(from === null ? {} : { startLsn: from.lsn, startWithin: from.partial }),
      onTransaction: (transaction) => this.#take(transaction),
      onStatus: (state, detail) => this.#onStatus(state, detail),
      log: {
        info: (...args: [object]) => log.debug(...args),
        warn: (...args: [object]) => log.warn(...args),
      },
    });
  }

  /** Ends the stream and keeps its place in the log for the next. */
  async close(): Promise<void> {
    const stream = this.#stream;
    if (stream === null) return;
    if (this.#live !== null) {
      // Without it the next stream reads from the anchor's place again, and leaves out what it has had.
      await this.#ports.session.keepPlace(this.#live).catch((error) => {
        this.#ports.log.debug({ err: error }, "realtime: the place in the log could not be kept");
      });
    }
    await stream.stop();
    if (stream.processedLsn > 0n) this.#progress = stream.progress;
    this.#stream = null;
    this.#live = null;
  }

  /** Ends the stream and forgets where it was: the next begins at the anchor of another epoch. */
  async abandon(): Promise<void> {
    await this.#stream?.stop();
    this.#stream = null;
    this.#live = null;
    this.#progress = null;
    this.#liveFrom = 0n;
    this.#ports.ring.reset(null);
    this.#places.fail(errors.DATABASE_UNAVAILABLE());
    await this.#ports.session.givePlaceUp().catch(() => {});
  }

  /** Ends the stream for good. */
  async stop(error: unknown): Promise<void> {
    this.#places.fail(error);
    await this.#stream?.stop();
  }

  /** Tells those who wait for a place, and the window, how far the server says it has sent. */
  note(): void {
    const { position } = this;
    if (position === null) return;
    this.#ports.ring.passed(position);
    this.#places.reached(position);
  }

  #take(transaction: Transaction): void {
    const { ring, clock, deliver } = this.#ports;
    ring.push(transaction, clock());
    if (this.#liveFrom !== null && transaction.commitLsn >= this.#liveFrom) deliver(transaction);
    if (transaction.final) this.#places.reached(transaction.endLsn);
  }

  #onStatus(state: ChangeStreamState | "gap", { slot, end, missed, error }: StatusDetail): void {
    const { ring, session, onGap, onLost, onStreaming, onPublicationMissing } = this.#ports;
    if (state === "gap") {
      ring.reset(missed!.to);
      onGap();
      return;
    }
    if (state === "streaming") {
      this.#readable = true;
      this.#live = slot!.name;
      this.#liveFrom ??= end!;
      if (ring.from === null) ring.reset(slot!.confirmedFlushLsn ?? end!);
      void session.givePlaceUp().catch(() => {}); // it goes with the session then
    } else if (state !== "connecting") {
      this.#live = null;
      if (state !== "stopped") this.#readable = false;
    }
    this.note(); // a stream that begins anew may begin behind a place that somebody waits for
    onStreaming(state === "streaming");
    if (state === "slot_missing" || state === "slot_lost") onLost();
    if ((error as { code?: string } | undefined)?.code === "REPLICATION_PUBLICATION_MISSING")
      onPublicationMissing();
  }
}
