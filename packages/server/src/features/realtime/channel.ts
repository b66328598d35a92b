import { setTimeout as sleep } from "node:timers/promises";
import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import { deliver } from "./delivery.ts";
import { notEnabledFrame, type ResyncReason, resyncFrame } from "./frames.ts";
import type { Judge } from "./judge.ts";
import { limits } from "./limits.ts";
import type { RealtimeMetrics } from "./metrics.ts";
import { Outbox } from "./outbox.ts";
import { type ChangeEntry, EntryQueue, isChange, type NoticeEntry, type TouchEntry } from "./queue.ts";
import { Settling } from "./settling.ts";
import type { ShapeSource } from "./shape-source.ts";
import { TableState } from "./table-state.ts";
import { sameRoleView, type TableView } from "./table-view.ts";
import { decideAll } from "./verdicts.ts";

export interface ChannelPorts {
  readonly appId: string;
  /** Reads from the catalogue who sees what of these tables now. */
  load(tables: readonly string[]): Promise<Map<string, TableView>>;
  /** Resolves when everything committed before the call has been pushed to its channel. */
  mark(): Promise<void>;
  /** The text of `pg_current_snapshot()`. */
  snapshot(): Promise<string>;
  readonly judge: Judge;
  readonly shapes: ShapeSource;
  readonly metrics: RealtimeMetrics;
  readonly log: Log;
  readonly clock: Clock;
}

type RowEvent = Omit<ChangeEntry, "seq">;

/**
 * One app's changes on their way to its connections: judged, rendered and sent strictly in the order of the log.
 * Policies are those that held at each change's own place. Where that can't be known any more, nothing is shown and
 * the clients concerned are told to load afresh. Apps don't wait for each other, and none waits for a slow client.
 */
export class Channel {
  readonly #ports: ChannelPorts;
  readonly #queue = new EntryQueue();
  readonly #tables = new Map<string, TableState>();
  readonly #touched = new Map<string, number>();
  readonly #settling = new Settling();
  readonly #outbox: Outbox;
  #seq = 0;
  /** The last place whose entry has been taken out of the queue. */
  #position = 0;
  #lastNotice = 0;
  #pumping = false;
  #closed = false;

  constructor(ports: ChannelPorts) {
    this.#ports = ports;
    this.#outbox = new Outbox(ports.metrics);
  }

  get idle(): boolean {
    return this.#tables.size === 0;
  }

  get closed(): boolean {
    return this.#closed;
  }

  get tables(): ReadonlyMap<string, TableState> {
    return this.#tables;
  }

  /** A committed change of one of the app's tables. The row is kept only if somebody subscribes to the table. */
  change(table: string, xid: number, event: () => RowEvent): void {
    this.#settling.add(xid);
    const seq = ++this.#seq;
    this.#touched.set(table, seq);
    if (this.#tables.has(table)) {
      this.#ports.metrics.changes.inc();
      this.#queue.push({ ...event(), seq });
    } else {
      this.#queue.push({ kind: "touch", seq, table });
    }
    if (this.#queue.chars > limits.queueChars || this.#queue.length > limits.queueEntries)
      this.reset("overrun");
    this.#start();
  }

  truncated(table: string, xid: number): void {
    this.#settling.add(xid);
    const seq = ++this.#seq;
    this.#touched.set(table, seq);
    this.#queue.push({ kind: "truncate", seq, table });
    this.#start();
  }

  /** The app's tables, grants or policies may have changed at this place of the log. */
  notice(resync: NoticeEntry["resync"], xid: number): void {
    this.#lastNotice = this.#seq + 1;
    this.configured(resync, xid);
  }

  /**
   * Tables of the app were switched on or off at this place of the log. Where changes are missing before it, what
   * policies read may be among them.
   */
  configured(resync: NoticeEntry["resync"], xid: number): void {
    if (resync !== null) this.#lastNotice = this.#seq + 1;
    this.#settling.add(xid);
    this.#queue.push({ kind: "notice", seq: ++this.#seq, resync });
    this.#start();
  }

  /** Gives up what waits: every subscriber is told to load afresh. */
  reset(reason: ResyncReason): void {
    this.#queue.keepTasks();
    this.notice({ tables: null, reason }, 0);
  }

  /** Runs `work` when everything pushed before has been sent. Its rejection is the caller's. */
  run<T>(work: () => Promise<T> | T): Promise<T> {
    return new Promise((resolve, reject) => {
      const run = async () => {
        try {
          resolve(await work());
        } catch (error) {
          reject(error);
        }
      };
      this.#queue.push({ kind: "task", run });
      this.#start();
    });
  }

  /** Keeps the table's rows from now on, until `release`. */
  hold(table: string): TableState {
    let state = this.#tables.get(table);
    if (state === undefined) {
      state = new TableState(table);
      this.#tables.set(table, state);
    }
    state.pending += 1;
    return state;
  }

  release(state: TableState): void {
    state.pending -= 1;
    this.forgetIfUnused(state);
  }

  forgetIfUnused(state: TableState): void {
    if (state.unused) this.#tables.delete(state.table);
  }

  /** The table's view at this place; to be called from a task. */
  async view(state: TableState): Promise<TableView> {
    if (state.view === null) await this.#reload([state]);
    return state.view!;
  }

  close(): void {
    this.#closed = true;
  }

  #start(): void {
    if (this.#pumping || this.#closed) return;
    this.#pumping = true;
    // In the next turn: what the log brings in one piece is judged together.
    setImmediate(() => void this.#pump());
  }

  async #pump(): Promise<void> {
    try {
      for (let head = this.#queue.peek(); head !== undefined && !this.#closed; head = this.#queue.peek()) {
        if (head.kind === "task") {
          this.#queue.shift();
          await head.run();
        } else if (head.kind === "notice") {
          this.#queue.shift();
          this.#position = head.seq;
          await this.#onNotice(head);
        } else {
          await this.#deliverBatch();
        }
      }
    } catch (error) {
      if (!this.#closed) {
        this.#ports.log.error({ err: error, app: this.#ports.appId }, "realtime: a batch failed");
        await sleep(limits.retryMaxMs);
        this.reset("stream_lost");
      }
    }
    this.#pumping = false;
    if (this.#queue.length > 0) this.#start();
  }

  async #onNotice({ resync }: NoticeEntry): Promise<void> {
    const known = [...this.#tables.values()].filter((state) => state.view !== null);
    for (const state of known) {
      if (resync !== null && (resync.tables === null || resync.tables.includes(state.table))) {
        state.missed("all", resync.reason);
      }
    }
    await this.#reload(known);
  }

  /**
   * Reads the tables' views again and makes sure of the place in the log from which they hold: what is read is
   * never older than this place, and is newer only if another notice is already waiting.
   */
  async #reload(states: readonly TableState[]): Promise<void> {
    if (states.length === 0) return;
    const names = states.map((state) => state.table);
    await this.#settle();
    const views = await this.#persist(async () => {
      const loaded = await this.#ports.load(names);
      await this.#ports.mark();
      return loaded;
    });
    const blindBefore = this.#lastNotice > this.#position ? this.#lastNotice : 0;
    for (const state of states) {
      const before = state.view;
      state.setView(views.get(state.table)!, blindBefore);
      if (before !== null) this.#tellDifference(state, before);
      state.tellMissed(this.#outbox);
    }
    this.#outbox.flush();
  }

  /** What a change of the table's definition means to its subscribers. */
  #tellDifference(state: TableState, before: TableView): void {
    const view = state.view!;
    if (before.form !== view.form) state.missed("all", "table_changed");
    const changed = (["anon", "user"] as const).filter(
      (role) => !sameRoleView(before.roles[role], view.roles[role]),
    );
    const off = before.enabled && !view.enabled ? notEnabledFrame(state.table) : null;
    const resync = resyncFrame(state.table, "policy_changed");
    for (const { identity, members } of state.subscriptions.groups()) {
      const lookDifferently = identity.role !== "service" && changed.includes(identity.role);
      for (const peer of members.keys()) {
        if (off !== null) this.#outbox.put(peer, off);
        if (lookDifferently) this.#outbox.resync(peer, resync, "policy_changed");
      }
    }
  }

  async #deliverBatch(): Promise<void> {
    const entries = await this.#takeBatch();
    const { shapes, judge, appId, metrics, clock } = this.#ports;
    const changes = entries.flatMap((entry) => {
      if (!isChange(entry)) return [];
      const state = this.#tables.get(entry.table);
      return state?.view?.enabled ? [{ entry, state }] : [];
    });
    await this.#persist(() => shapes.prepare(changes.map(({ entry }) => entry.relation)));
    const shape = (entry: ChangeEntry) => shapes.peek(entry.relation)!;
    const dependent = changes.some(({ state }) => state.view!.dependsOn.length > 0);
    if (dependent || this.#settling.count > limits.unsettledTransactions) await this.#settle();
    const verdicts = await this.#persist(() => decideAll(changes, { judge, appId, shape }));
    // What those policies read may have changed between the change and the verdict: the log tells.
    if (dependent) await this.#persist(() => this.#ports.mark());
    const lastTouch = (table: string) => this.#touched.get(table) ?? 0;
    const settle = () => this.#settle();
    await deliver(entries, {
      tables: this.#tables,
      verdicts,
      lastTouch,
      shape,
      settle,
      outbox: this.#outbox,
    });
    const newest = changes.at(-1);
    if (newest !== undefined) metrics.lag.set((clock() - newest.entry.commitMs) / 1000);
  }

  /** The next entries up to a notice, a task, the limits, or a row of a form the table's view was not read for. */
  async #takeBatch(): Promise<(ChangeEntry | TouchEntry)[]> {
    const batch: (ChangeEntry | TouchEntry)[] = [];
    let chars = 0;
    for (let head = this.#queue.peek(); head !== undefined; head = this.#queue.peek()) {
      if (head.kind === "task" || head.kind === "notice") break;
      if (batch.length >= limits.batchEntries || chars >= limits.batchChars) break;
      if (isChange(head)) {
        const state = this.#tables.get(head.table);
        if (state !== undefined && !state.fits(head.relation)) {
          if (batch.length > 0) break;
          await this.#reload([state]);
          state.accept(head.relation);
        }
        chars += head.size;
      }
      this.#queue.shift();
      this.#position = head.seq;
      batch.push(head);
    }
    return batch;
  }

  /** Waits until queries see everything the log has shown so far. */
  #settle(): Promise<void> {
    return this.#settling.settle(() => this.#persist(() => this.#ports.snapshot()), this);
  }

  /** Repeats `work` until the database answers, or nobody waits any more. */
  async #persist<T>(work: () => Promise<T>): Promise<T> {
    for (let pauseMs: number = limits.retryMs; ; pauseMs = Math.min(pauseMs * 2, limits.retryMaxMs)) {
      try {
        return await work();
      } catch (error) {
        if (this.#closed || (error as { code?: string }).code !== "DATABASE_UNAVAILABLE") throw error;
        await sleep(pauseMs);
      }
    }
  }
}
