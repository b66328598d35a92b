/** The ordered stream of committed changes of one database, read from its write-ahead log. */
import { setTimeout as sleep } from "node:timers/promises";
import type { ClientConfig } from "pg";
import { type Clock, systemClock } from "../../../kernel/clock.ts";
import type { Log } from "../../../kernel/log.ts";
import { Delivery } from "./delivery.ts";
import { errors } from "./errors.ts";
import { limits } from "./limits.ts";
import { formatLsn } from "./lsn.ts";
import { reconnectDelayMs } from "./reconnect.ts";
import { type Opened, openSession, type Session } from "./session.ts";
import type { SlotStatus } from "./slots.ts";
import type { Progress, Transaction } from "./transactions.ts";

/**
 * `slot_missing` and `slot_lost` are final: nothing more comes from this stream, and the changes between
 * `processedLsn` and a new slot's start are lost to it. From `disconnected` it recovers by itself.
 */
export type ChangeStreamState =
  | "connecting"
  | "streaming"
  | "disconnected"
  | "slot_missing"
  | "slot_lost"
  | "stopped";

export interface StatusDetail {
  /** With `disconnected`, `slot_missing` and `slot_lost`: what happened. */
  error?: unknown;
  /** With `disconnected`: the pause before the next attempt, once the handler is done with what it has. */
  retryInMs?: number;
  /** With `streaming` and `slot_lost`: the slot as the server described it on this connection. */
  slot?: SlotStatus;
  /** With `streaming`: where the server's log ended, as far as it is safe on disk, just before the stream began. */
  end?: bigint;
  /** With `gap`: the range of the log that this stream will not see. */
  missed?: { from: bigint; to: bigint };
}

export interface ChangeStreamOptions {
  /** A direct connection (no pooler) as a role with REPLICATION; the database is the slot's. */
  connection: ClientConfig;
  slot: string;
  /**
   * With it, each connection makes its own slot: a temporary copy of the first of these slots that is there and can be
   * read, called `slot` and the connection's process id. It goes with the connection. The states `slot_missing` and
   * `slot_lost` then mean that none of these can be copied.
   */
  copyOf?(): readonly string[];
  /** A change comes if its table was in one of them when it was made. All must exist for the stream to start. */
  publications: readonly string[];
  /** Where the caller stands. Without it, where the slot stands. */
  startLsn?: bigint;
  /** How much of the transaction after `startLsn` the caller has had in an earlier stream. */
  startWithin?: Progress["partial"];
  /**
   * Gets every committed transaction once, in commit order, each after the one before has finished. If it throws,
   * the same transaction (or part) comes again on a new connection. It must not await `stop`.
   */
  onTransaction(transaction: Transaction): Promise<void> | void;
  /**
   * The earliest position the caller may want to read again with a new stream; the server keeps the log from there.
   * Without it (or with null), everything the handler has finished with is given up.
   */
  retainFrom?(): bigint | null;
  /**
   * Tells every change of state; and `gap`, before `streaming` and before anything that comes after the gap, when the slot was moved past `processedLsn` (or
   * `startLsn`) by someone else: what changed between the two, if anything did, will not come.
   */
  onStatus?(state: ChangeStreamState | "gap", detail: StatusDetail): void;
  log: Pick<Log, "info" | "warn">;
  clock?: Clock;
}

/** A running stream; it starts at once and stays until `stop` or the loss of its slot. */
export class ChangeStream {
  readonly #options: ChangeStreamOptions;
  readonly #delivery: Delivery;
  readonly #clock: Clock;
  readonly #stopping = new AbortController();
  readonly #loop: Promise<void>;
  #session: Session | null = null;
  #state: ChangeStreamState = "connecting";

  constructor(options: ChangeStreamOptions) {
    this.#options = options;
    const handler = (transaction: Transaction) => options.onTransaction(transaction);
    const { startLsn = 0n, startWithin = null } = options;
    this.#delivery = new Delivery({ from: startLsn, within: startWithin, handler });
    this.#clock = options.clock ?? systemClock;
    this.#loop = Promise.resolve().then(() => this.#run()); // tells nothing before the caller holds the stream
  }

  /** Every transaction that committed before this position has been handled; 0 until the first connection. */
  get processedLsn(): bigint {
    return this.#delivery.progress.lsn;
  }

  /** How far the handler has come, to go on from in another stream (`startLsn`, `startWithin`). */
  get progress(): Progress {
    return this.#delivery.progress;
  }

  get state(): ChangeStreamState {
    return this.#state;
  }

  /** Waits for the handler to finish what it has in hand, confirms it to the server and lets go of the slot. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#finish();
    await this.#loop;
    if (this.#state !== "stopped") this.#tell("stopped", {});
  }

  async #finish(): Promise<void> {
    this.#delivery.halt();
    await this.#delivery.idle();
    await this.#session?.end();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    let failures = 0;
    while (!signal.aborted) {
      this.#tell("connecting", {});
      const startedMs = this.#clock();
      const handled = this.#delivery.handled;
      const { final, error } = await this.#once();
      if (final || signal.aborted) return;
      const held = this.#delivery.handled > handled || this.#clock() - startedMs >= limits.stableMs;
      failures = held ? 0 : failures + 1;
      const retryInMs = reconnectDelayMs(failures, Math.random());
      this.#tell("disconnected", { error, retryInMs });
      await this.#delivery.idle();
      await sleep(retryInMs, undefined, { signal }).catch(() => {});
    }
  }

  /** One connection from start to end. `final` says that no other will do better. */
  async #once(): Promise<{ final: boolean; error: unknown }> {
    const { signal } = this.#stopping;
    let opened: Opened;
    try {
      opened = await openSession({
        stream: this.#options,
        delivery: this.#delivery,
        clock: this.#clock,
        signal,
        onStreaming: (slot, missed, end) => {
          if (missed) this.#tell("gap", { missed });
          this.#tell("streaming", { slot, end });
        },
      });
    } catch (error) {
      return { final: false, error };
    }
    if (opened.kind !== "streaming") {
      const { kind, ...detail } = opened;
      this.#tell(kind, detail);
      return { final: true, error: opened.error };
    }
    this.#session = opened.session;
    if (signal.aborted) await this.#finish();
    const error = (await opened.session.closed) ?? errors.REPLICATION_CONNECTION_LOST();
    this.#session = null;
    return { final: false, error };
  }

  #tell(state: ChangeStreamState | "gap", detail: StatusDetail): void {
    if (state !== "gap") this.#state = state;
    const { log, slot, onStatus } = this.#options;
    const line = { slot, state, processedLsn: formatLsn(this.processedLsn), err: detail.error };
    if (detail.error || state === "gap") log.warn(line, "change stream");
    else log.info(line, "change stream");
    try {
      onStatus?.(state, detail);
    } catch (error) {
      log.warn({ slot, err: error }, "change stream: the status listener threw");
    }
  }
}

/** Opens the stream. Nothing is thrown here: what goes wrong, at once or later, is told through `onStatus`. */
export function openChangeStream(options: ChangeStreamOptions): ChangeStream {
  return new ChangeStream(options);
}
