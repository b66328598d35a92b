import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { cancelStatement } from "../../engines/postgres/cancel-statement.ts";
import type { Database } from "../../engines/postgres/database.ts";
import { type ChangeStream, openChangeStream } from "../../engines/postgres/replication/change-stream.ts";
import { createSlot } from "../../engines/postgres/replication/slots.ts";
import type { Transaction } from "../../engines/postgres/replication/transactions.ts";
import type { Log } from "../../kernel/log.ts";
import { limits } from "./limits.ts";
import * as nodes from "./node-store.ts";
import { DEFINITIONS } from "./publications.ts";
import { ensurePublications } from "./store.ts";

export interface ReaderOptions {
  readonly database: Database;
  readonly log: Log;
  /** Names this run of the process; a slot of its own goes with it. */
  readonly nodeId: string;
  /** Further publications to read, asked for each time the stream is opened. */
  publications(): readonly string[];
  /** Makes them where they are missing; before each slot, which sees no publication that came after it. */
  prepare(): Promise<void>;
  onTransaction(transaction: Transaction): void;
  /** Changes were lost; from here on everything is read again. */
  onGap(): void;
  onStreaming(streaming: boolean): void;
}

/**
 * This node's reader of the write-ahead log. It has a replication slot of its own from its start to its stop; while
 * the connection or Postgres is down the slot keeps what is to be read. What a killed node leaves behind, the others
 * drop.
 */
export class Reader {
  readonly #options: ReaderOptions;
  readonly #slot: string;
  readonly #stopping = new AbortController();
  readonly #ready = Promise.withResolvers<void>();
  #opening: Promise<void> = Promise.resolve();
  #stream: ChangeStream | null = null;
  #slotClient: pg.Client | null = null;
  #timers: NodeJS.Timeout[] = [];

  constructor(options: ReaderOptions) {
    this.#options = options;
    this.#slot = `${nodes.SLOT_PREFIX}${options.nodeId}`;
    this.#ready.promise.catch(() => {});
  }

  /** The log is being read at this moment. */
  get streaming(): boolean {
    return this.#stream?.state === "streaming";
  }

  /** Begins to read, in the background: making a slot waits for every transaction that is under way. */
  start(): void {
    this.#opening = this.#open();
    const every = (ms: number, work: () => Promise<void>) => {
      const { log } = this.#options;
      const run = () =>
        work().catch((error) => log.warn({ error: error.message }, "realtime: housekeeping failed"));
      this.#timers.push(setInterval(() => void run(), ms).unref());
    };
    every(limits.nodeHeartbeatMs, () => this.#heartbeat());
    every(limits.nodeDeadMs, () => this.#sweep());
  }

  /** Resolves once every change committed from now on will be read; rejects if `stop` comes first. */
  ready(): Promise<void> {
    return this.#ready.promise;
  }

  /** Ends reading and drops the slot. */
  async stop(): Promise<void> {
    const { database, nodeId, log } = this.#options;
    this.#stopping.abort();
    this.#ready.reject(new Error("The server is stopping."));
    for (const timer of this.#timers) clearInterval(timer);
    await this.#cutShort();
    await this.#stream?.stop();
    try {
      await this.#dropOwnSlot();
      await nodes.deleteNode(database, nodeId);
    } catch (error) {
      log.warn({ err: error, slot: this.#slot }, "realtime: the slot stays behind and will be dropped later");
    }
  }

  async #open(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        await this.#makeSlot();
        if (signal.aborted) return;
        this.#stream = this.#read();
        this.#ready.resolve();
        return;
      } catch (error) {
        if (signal.aborted) return;
        this.#options.log.warn({ err: error }, "realtime: the stream of changes could not be opened");
        await sleep(limits.reopenMs, undefined, { signal }).catch(() => {});
      }
    }
  }

  async #makeSlot(): Promise<void> {
    const { database } = this.#options;
    await ensurePublications(database);
    await this.#options.prepare();
    await this.#heartbeat();
    await this.#sweep();
    await this.#dropOwnSlot();
    const client = new pg.Client({
      ...database.target,
      application_name: "ambit slot",
      connectionTimeoutMillis: limits.slotConnectMs,
    });
    client.on("error", () => {});
    try {
      await client.connect();
      if (this.#stopping.signal.aborted) return;
      this.#slotClient = client;
      await createSlot(client, this.#slot);
    } finally {
      this.#slotClient = null;
      client.end().catch(() => {});
    }
  }

  #read(): ChangeStream {
    const { database, log, publications, onTransaction, onStreaming, onGap } = this.#options;
    return openChangeStream({
      connection: database.target,
      slot: this.#slot,
      publications: [...Object.keys(DEFINITIONS), ...publications()],
      onTransaction,
      onStatus: (state) => {
        onStreaming(state === "streaming");
        if (state === "gap") onGap();
        if (state === "slot_missing" || state === "slot_lost") this.#opening = this.#reopen();
      },
      log,
    });
  }

  /** The slot is gone, and with it what was not read yet. */
  async #reopen(): Promise<void> {
    await this.#stream?.stop();
    await this.#open();
    if (!this.#stopping.signal.aborted) this.#options.onGap();
  }

  async #heartbeat(): Promise<void> {
    await nodes.recordHeartbeat(this.#options.database, this.#options.nodeId, this.#slot);
  }

  async #sweep(): Promise<void> {
    const { database, log } = this.#options;
    for (const slot of await nodes.selectDeadSlots(database, limits.nodeDeadMs)) {
      if (slot !== this.#slot && (await nodes.dropSlot(database, slot)))
        log.warn({ slot }, "realtime: dropped the slot of a dead node");
    }
    await nodes.deleteDeadNodes(database, limits.nodeDeadMs);
  }

  /**
   * Waits until nothing is being opened any more. A slot in the making is cancelled in Postgres: on a connection that
   * is merely cut it would still come to be. Asked again and again, as a request may come before the statement.
   */
  async #cutShort(): Promise<void> {
    const cancel = () => this.#slotClient && cancelStatement(this.#slotClient);
    cancel();
    const timer = setInterval(cancel, limits.retryMs);
    await this.#opening;
    clearInterval(timer);
  }

  /** The server needs a moment to notice that a reader has gone. */
  async #dropOwnSlot(): Promise<void> {
    for (let attempt = 0; attempt < limits.dropSlotTries; attempt++) {
      if (await nodes.dropSlot(this.#options.database, this.#slot)) return;
      await sleep(limits.retryMs);
    }
  }
}
