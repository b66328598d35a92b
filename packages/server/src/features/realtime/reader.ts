import { setTimeout as sleep } from "node:timers/promises";
import type { Database } from "../../engines/postgres/database.ts";
import type { Transaction } from "../../engines/postgres/replication/transactions.ts";
import { LogRing } from "../../engines/postgres/replication/window.ts";
import type { LogWindow } from "../../engines/postgres/replication/window-types.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import type { Metrics } from "../../kernel/metrics.ts";
import { Anchor, isSound } from "./anchor.ts";
import { type AnchorLook, lookAt, selectAnchorName, selectMarks } from "./anchor-store.ts";
import type { WindowBounds } from "./anchor-target.ts";
import { Emitter } from "./emitter.ts";
import { limits } from "./limits.ts";
import { Listeners } from "./listeners.ts";
import { type LogStatus, statusOf } from "./log-status.ts";
import { MARK_PREFIX, NOTICE_PREFIX, readNotice } from "./messages.ts";
import { NodeSession } from "./node-session.ts";
import { dropFormerSlots, selectNodes } from "./node-store.ts";
import { Nodes } from "./nodes.ts";
import { DEFINITIONS } from "./publications.ts";
import { Reading } from "./reading.ts";
import { ensurePublications } from "./store.ts";

export interface ReaderOptions extends WindowBounds {
  readonly database: Database;
  readonly log: Log;
  readonly clock: Clock;
  readonly metrics: Pick<Metrics, "limitsHit">;
  /** Names this run of the process: eight hexadecimal digits. */
  readonly nodeId: string;
  /** Memory for the window, in bytes. */
  readonly windowMemoryBytes: number;
  /** How long reading goes on after the last hold was released; `limits.graceMs` if not said. */
  readonly graceMs?: number;
  /** Further publications to read, asked for each time the stream is opened. */
  publications(): readonly string[];
  /** Makes them where they are missing; before the anchor, which sees no publication that came after it. */
  prepare(): Promise<void>;
  onTransaction(transaction: Transaction): void;
  /** Changes were lost; from here on everything is read again. */
  onGap(): void;
  onStreaming(streaming: boolean): void;
  /** The log is read again after a pause, or from another connection; awaited before `ready` resolves. */
  onAwake(): Promise<void>;
  /** What a regular look at the anchor found. */
  onLook(look: AnchorLook): void;
  /** Every `limits.captureLookMs` while the log is being read: is it complete? */
  onCheck(): Promise<void>;
}

/** What of the log is kept under which schema: changes of apps' tables, and notices under their app. */
const KEPT = {
  keepSchema: (schema: string) => schema !== "ambit",
  schemaOf: ({ prefix, content }: { prefix: string; content: Buffer }) =>
    prefix === NOTICE_PREFIX ? (readNotice(content)?.app ?? null) : null,
};

/**
 * This node's reader of the write-ahead log. It reads while somebody holds it, and for a while after. Then it closes
 * its stream, keeps its place, and catches up from time to time, so that its window has no hole and little is ever to
 * be caught up with. Its slots go with its connections; the anchor keeps what it may have to read again.
 */
export class Reader {
  /** The other nodes. */
  readonly nodes: Nodes;
  readonly #options: ReaderOptions;
  readonly #session: NodeSession;
  readonly #anchor: Anchor;
  readonly #emitter: Emitter;
  readonly #ring: LogRing;
  readonly #reading: Reading;
  readonly #listeners: Listeners;
  readonly #stopping = new AbortController();
  #anchorName = "";
  #holds = 0;
  #awakeUntilMs = 0;
  #readAtMs = 0;
  #checkedAtMs = performance.now();
  #turn: Promise<void> = Promise.resolve();
  #started = false;
  /** Settled while the log is being read. */
  #streaming = Promise.withResolvers<void>();
  #streams = false;
  #caughtUp = false;
  #marking: Promise<void> | null = null;
  #graceTimer: NodeJS.Timeout | undefined;
  #lookTimer: NodeJS.Timeout | undefined;
  #looking = false;
  #mending = false;

  constructor(options: ReaderOptions) {
    const { database, nodeId, log, clock } = options;
    this.#options = options;
    this.#session = new NodeSession(database, nodeId);
    this.#anchor = new Anchor(database, options, log);
    this.#emitter = new Emitter(database, options.metrics);
    this.#listeners = new Listeners(log);
    this.#ring = new LogRing({ maxBytes: options.windowMemoryBytes, maxAgeMs: options.windowMs, ...KEPT });
    this.#reading = new Reading({
      ...{ database, log, clock, nodeId, session: this.#session, ring: this.#ring },
      publications: () => [...Object.keys(DEFINITIONS), ...options.publications()],
      deliver: (transaction) => {
        options.onTransaction(transaction);
        this.#listeners.accept(transaction);
      },
      onGap: () => options.onGap(),
      onStreaming: (streaming) => this.#onStreaming(streaming),
      onLost: () => this.#do(() => this.#beginAnew()),
      onPublicationMissing: () => this.#do(() => this.#publish()),
    });
    this.nodes = new Nodes({
      ...{ nodeId, log },
      look: () => selectNodes(this.#session),
      connectedMs: () => performance.now() - this.#session.since,
    });
    this.#streaming.promise.catch(() => {});
  }

  /** The log is being read at this moment. */
  get streaming(): boolean {
    return this.#reading.streaming;
  }

  /** The log is being read, or would be if somebody needed it: the last attempt went well. */
  get readable(): boolean {
    return this.#reading.readable;
  }

  /** Nobody needs the log to be read, and it is not. */
  get asleep(): boolean {
    return !this.#reading.isOpen;
  }

  /** What was read last; complete up to its `to` while asleep too. */
  get window(): LogWindow & Pick<LogRing, "bytes" | "size" | "oldest"> {
    this.#reading.note();
    return this.#ring;
  }

  /** Keeps the log being read until the returned function is called; calling that again does nothing. */
  hold(): () => void {
    return this.#hold(this.#options.graceMs ?? limits.graceMs);
  }

  /** Begins, in the background: makes the anchor if need be, and reads what it keeps. */
  start(): void {
    this.#started = true;
    this.#do(() => this.#prepare());
    void this.#doze();
    const look = () => {
      if (this.#looking) return;
      this.#looking = true;
      const failed = (error: unknown) => {
        if (!this.#stopping.signal.aborted)
          this.#options.log.warn({ err: error }, "realtime: the log's slot could not be looked after");
      };
      void this.#look()
        .catch(failed)
        .then(() => {
          this.#looking = false;
        });
    };
    this.#lookTimer = setInterval(look, limits.lookMs).unref();
  }

  /**
   * Resolves once the log is read, and everything committed before the call (or, if it was being read and had been
   * caught up with, before it was) has been handed over; what commits later will be. Rejects if `stop` comes first.
   */
  async ready(): Promise<void> {
    this.#stopping.signal.throwIfAborted();
    if (this.#caughtUp) return;
    const release = this.hold();
    await this.#reachEnd().finally(release);
  }

  /** Writes a message into the log, after those before it; see `Emitter.emit`. */
  emit(prefix: string, content: string): Promise<bigint> {
    return this.#emitter.emit(prefix, content);
  }

  /**
   * Calls `listener` for every message of this prefix that any node (this one too) writes from now on, in the order of
   * the log. It must not wait. While the reader sleeps they come late.
   */
  onMessage(prefix: string, listener: (content: string) => void): void {
    this.#listeners.add(prefix, listener);
  }

  /** What is kept for the window, read and held. Rejects while Postgres does not answer. */
  async status(): Promise<LogStatus> {
    const look = await lookAt(this.#session, this.#anchorName || (await selectAnchorName(this.#session)));
    const [mark] = await selectMarks(this.#options.database);
    return statusOf(this.#options, look, mark?.at ?? null, this);
  }

  /** Ends reading; of its slots the anchor alone stays. */
  async stop(): Promise<void> {
    const error = new Error("The server is stopping.");
    this.#stopping.abort(error);
    this.#streaming.reject(error);
    clearInterval(this.#lookTimer);
    clearTimeout(this.#graceTimer);
    this.nodes.setActive(false);
    this.#anchor.stop();
    // A request to cancel may come before the statement.
    const again = setInterval(() => this.#anchor.stop(), limits.retryMs);
    await this.#turn;
    clearInterval(again);
    await this.#reading.stop(error);
    await this.#session.close();
  }

  #hold(graceMs: number): () => void {
    this.#holds += 1;
    this.#settle();
    let released = false;
    return () => {
      if (released) return;
      released = true;
      this.#holds -= 1;
      this.#awakeUntilMs = Math.max(this.#awakeUntilMs, performance.now() + graceMs);
      if (this.#holds === 0) this.#settle();
    };
  }

  /** Opens or closes the stream, as is wanted by the time everything before is done. */
  #settle(): void {
    clearTimeout(this.#graceTimer);
    if (this.#stopping.signal.aborted || !this.#started) return;
    this.nodes.setActive(this.#holds > 0);
    const restMs = this.#awakeUntilMs - performance.now();
    if (this.#holds === 0 && restMs > 0) {
      this.#graceTimer = setTimeout(() => this.#settle(), restMs + 1).unref();
    } else if (this.#holds > 0 !== this.#reading.isOpen) {
      this.#do(() => this.#turnOver());
    }
  }

  async #turnOver(): Promise<void> {
    const wanted = this.#holds > 0 || this.#awakeUntilMs > performance.now();
    if (wanted === this.#reading.isOpen) return;
    if (wanted) {
      this.#reading.open(this.#anchorName, this.#ring.epoch);
    } else {
      this.#onStreaming(false);
      await this.#reading.close();
      this.#readAtMs = performance.now();
    }
    this.#settle();
  }

  /** One thing after the other; a failure is tried again until it works or `stop` comes. */
  #do(work: () => Promise<void>): void {
    const { signal } = this.#stopping;
    this.#turn = this.#turn.then(async () => {
      while (!signal.aborted) {
        try {
          await work();
          return;
        } catch (error) {
          if (signal.aborted) return;
          this.#options.log.warn({ err: error }, "realtime: the log can't be read yet");
          await sleep(limits.reopenMs, undefined, { signal }).catch(() => {});
        }
      }
    });
  }

  async #prepare(): Promise<void> {
    await this.#publish();
    this.#anchorName = await selectAnchorName(this.#session);
    await dropFormerSlots(this.#session);
    this.#ring.reset(null, await this.#anchor.ensure(this.#anchorName));
  }

  async #publish(): Promise<void> {
    await ensurePublications(this.#options.database);
    await this.#options.prepare();
  }

  /** The log can't be read from where this node is. What another node has mended already is not mended again. */
  async #beginAnew(): Promise<void> {
    const { epoch } = this.#reading;
    await this.#reading.abandon();
    this.#ring.reset(null, await this.#anchor.ensure(this.#anchorName, epoch));
    this.#options.onGap();
    this.#settle();
  }

  /** In a new epoch positions of before mean nothing any more, though this node itself has missed nothing. */
  async #mend(): Promise<void> {
    const epoch = await this.#anchor.ensure(this.#anchorName);
    this.#mending = false;
    if (epoch === this.#ring.epoch) return;
    this.#ring.reset(this.#reading.position, epoch);
    this.#options.onGap();
  }

  async #look(): Promise<void> {
    if (this.#ring.epoch === "") return;
    const look = await lookAt(this.#session, this.#anchorName);
    this.#ring.expire(this.#options.clock());
    this.#reading.note();
    this.#options.onLook(look);
    if (!isSound(look) || look.epoch !== this.#ring.epoch) {
      if (!this.#mending) this.#do(() => this.#mend());
      this.#mending = true;
      return;
    }
    await this.#anchor.tend(this.#anchorName, look);
    if (this.streaming && performance.now() - this.#checkedAtMs >= limits.captureLookMs) {
      this.#checkedAtMs = performance.now();
      await this.#options.onCheck();
    }
    if (!this.asleep) return;
    const behind = look.end - (this.#reading.position ?? 0n);
    const dueMs = this.#readAtMs + limits.dozeMs - performance.now();
    if (behind >= BigInt(limits.dozeWalBytes) || (behind > 0n && dueMs <= 0)) await this.#doze();
  }

  /** Reads up to the end of the log and goes back to sleep. */
  async #doze(): Promise<void> {
    const release = this.#hold(0);
    await this.#reachEnd().catch(() => {});
    release();
  }

  async #reachEnd(): Promise<void> {
    while (!this.#caughtUp) {
      await this.#streaming.promise;
      await this.#catchUp();
    }
  }

  #onStreaming(streaming: boolean): void {
    this.#options.onStreaming(streaming);
    if (streaming) {
      this.#streams = true;
      this.#streaming.resolve();
      void this.#catchUp().catch(() => {});
    } else if (this.#streams && !this.#stopping.signal.aborted) {
      this.#streams = false;
      this.#caughtUp = false;
      this.#streaming = Promise.withResolvers();
      this.#streaming.promise.catch(() => {});
    }
  }

  /** One mark at a time; whoever comes while it is under way shares it, and asks again if it was too early. */
  #catchUp(): Promise<void> {
    this.#marking ??= this.#mark().finally(() => {
      this.#marking = null;
    });
    return this.#marking;
  }

  async #mark(): Promise<void> {
    const { signal } = this.#stopping;
    const { promise } = this.#streaming;
    try {
      const lsn = await this.emit(MARK_PREFIX, "");
      await Promise.all([this.#reading.reach(lsn), this.#options.onAwake()]);
      if (this.streaming && promise === this.#streaming.promise) this.#caughtUp = true;
    } catch (error) {
      signal.throwIfAborted();
      this.#options.log.debug({ err: error }, "realtime: the end of the log was not reached");
      await sleep(limits.retryMs, undefined, { signal });
    }
  }
}
