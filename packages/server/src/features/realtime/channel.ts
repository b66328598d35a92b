import { setTimeout as sleep } from "node:timers/promises";
import type { Relation, Row } from "../../engines/postgres/replication/pgoutput.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import type { Metrics } from "../../kernel/metrics.ts";
import { readAgain } from "./asked-filters.ts";
import { Compiling } from "./compiling.ts";
import { deliver } from "./delivery.ts";
import { decideFilters } from "./filter-verdicts.ts";
import type { FilterJudge } from "./filters/judge.ts";
import { errorFrame, notEnabledFrame, type ResyncReason, resyncFrame } from "./frames.ts";
import type { Judge } from "./judge.ts";
import { limits } from "./limits.ts";
import { Memberships } from "./memberships.ts";
import type { RealtimeMetrics } from "./metrics.ts";
import { Outbox } from "./outbox.ts";
import {
  type ChangeEntry,
  type Commit,
  EntryQueue,
  isChange,
  type NoticeEntry,
  type TouchEntry,
} from "./queue.ts";
import type { RuleSource } from "./rule-source.ts";
import { Sampling } from "./sampling.ts";
import { Settling } from "./settling.ts";
import type { ShapeSource } from "./shape-source.ts";
import type { Subscription } from "./subscriptions.ts";
import { TableState } from "./table-state.ts";
import { sameRoleView, type TableView, VIEWER_ROLES } from "./table-view.ts";
import { decideAll } from "./verdicts.ts";

export interface ChannelPorts {
  readonly appId: string;
  /** Reads from the catalogue who sees what of these tables now. */
  load(tables: readonly string[]): Promise<Map<string, TableView>>;
  /** Resolves when everything committed before the call has been pushed to its channel. */
  mark(): Promise<void>;
  /** The app's tables, grants or policies have changed, and queries see it: clients are about to be told. */
  onChanged(appId: string): void;
  /** The text of `pg_current_snapshot()`. */
  snapshot(): Promise<string>;
  readonly judge: Judge;
  readonly filters: FilterJudge;
  readonly rules: RuleSource;
  readonly shapes: ShapeSource;
  readonly metrics: RealtimeMetrics;
  readonly limitsHit: Metrics["limitsHit"];
  readonly log: Log;
  readonly clock: Clock;
}

/** A row's change as the log has it. */
export interface RowChange {
  readonly kind: "insert" | "update" | "delete";
  readonly index: number;
  readonly relation: Relation;
  readonly old: Row | null;
  readonly new: Row | null;
}

/**
 * One app's changes on their way to its connections: judged, rendered and sent strictly in the order of the log.
 * Policies are those that held at each change's own place. Where that can't be known any more, nothing is shown and
 * the clients concerned are told to load afresh. Apps don't wait for each other, and none waits for a slow client.
 */
export class Channel {
  readonly ports: ChannelPorts;
  readonly memberships = new Memberships();
  readonly outbox: Outbox;
  readonly #queue = new EntryQueue();
  readonly #tables = new Map<string, TableState>();
  readonly #touched = new Map<string, number>();
  readonly settling = new Settling();
  readonly #compiling: Compiling;
  readonly #sampling: Sampling;
  #seq = 0;
  /** The last place whose entry has been taken out of the queue. */
  #position = 0;
  #lastNotice = 0;
  /** A transaction too large to wait for: what else comes of it is not kept. */
  #dropped: Commit | null = null;
  /** Transactions that changed policies behind rows of theirs, and where: nobody could ever read those rows before. */
  readonly #noticedAt = new WeakMap<Commit, number>();
  #generation = 0;
  #pumping = false;
  #closed = false;

  constructor(ports: ChannelPorts) {
    this.ports = ports;
    this.outbox = new Outbox(ports.metrics);
    this.#compiling = new Compiling(this.#asCompilingPorts());
    this.#sampling = new Sampling(ports, {
      lastTouch: (table) => this.#touched.get(table) ?? 0,
      position: () => this.#position,
      noticeWaits: () => this.noticeWaits,
      settle: () => this.settle(),
      distrust: (state, role) => this.#compiling.distrusted(state, role),
    });
  }

  get idle(): boolean {
    return this.#tables.size === 0;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Nothing waits and nothing is being sent. */
  get quiet(): boolean {
    return this.#queue.length === 0 && !this.#pumping;
  }

  get tables(): ReadonlyMap<string, TableState> {
    return this.#tables;
  }

  /** A table, grant or policy was changed at a place the channel has not come to yet. */
  get noticeWaits(): boolean {
    return this.#lastNotice > this.#position;
  }

  /** One of these tables was changed at a place the channel has not come to yet. */
  touchWaits(tables: readonly string[]): boolean {
    return tables.some((table) => (this.#touched.get(table) ?? 0) > this.#position);
  }

  /** A committed change of one of the app's tables. The row is kept only if somebody needs it. */
  change(table: string, commit: Commit, change: RowChange): void {
    this.settling.add(commit.xid);
    const seq = ++this.#seq;
    this.#touched.set(table, seq);
    if (this.#dropped === commit) return;
    const subscribed = this.#tables.has(table);
    if (subscribed) this.ports.metrics.changes.inc();
    if (subscribed || this.memberships.watches(table)) {
      const size = charsOf(change.old) + charsOf(change.new);
      this.#queue.push({ ...change, seq, commit, table, size });
    } else {
      this.#queue.push({ kind: "touch", seq, commit, table });
    }
    if (this.#queue.chars > limits.queueChars || this.#queue.length > limits.queueEntries) {
      this.reset("overrun");
      if (!commit.complete) this.#dropped = commit;
    }
    this.#start();
  }

  truncated(table: string, commit: Commit): void {
    this.settling.add(commit.xid);
    const seq = ++this.#seq;
    this.#touched.set(table, seq);
    this.#queue.push({ kind: "truncate", seq, commit, table });
    this.#start();
  }

  /** The last part of a transaction has been pushed: what waited for it can go on. */
  committed(): void {
    if (this.#dropped?.complete) {
      this.#dropped = null;
      this.reset("overrun");
    }
    if (this.#queue.length > 0) this.#start();
  }

  /**
   * The app's tables, grants or policies may have changed at this place of the log; `within` is the transaction it
   * stands in, if parts of that were pushed before.
   */
  notice(resync: NoticeEntry["resync"], xid: number, within: Commit | null = null): void {
    this.#lastNotice = this.#seq + 1;
    if (within !== null) this.#noticedAt.set(within, this.#lastNotice);
    this.configured(resync, xid);
  }

  /**
   * Tables of the app were switched on or off at this place of the log. Where changes are missing before it, what
   * policies read may be among them.
   */
  configured(resync: NoticeEntry["resync"], xid: number): void {
    if (resync !== null) this.#lastNotice = this.#seq + 1;
    this.settling.add(xid);
    this.#queue.push({ kind: "notice", seq: ++this.#seq, resync });
    this.#start();
  }

  /** Gives up what waits: every subscriber is told to load afresh. */
  reset(reason: ResyncReason): void {
    this.#queue.keepTasks();
    this.#generation += 1;
    for (const state of this.#tables.values()) state.giveUpAllSources();
    this.memberships.clear();
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
    if (!state.unused || !this.#tables.delete(state.table)) return;
    if (this.memberships.size > 0) this.#compiling.prune();
  }

  /** The table's view at this place; to be called from a task. */
  async view(state: TableState): Promise<TableView> {
    if (state.view === null) await this.#reload([state]);
    return state.view!;
  }

  close(): void {
    this.#closed = true;
  }

  /** Waits until queries see everything the log has shown so far. */
  settle(): Promise<void> {
    return this.settling.settle(() => this.persist(() => this.ports.snapshot()), this);
  }

  /** Repeats `work` until the database answers, or nobody waits any more. */
  async persist<T>(work: () => Promise<T>): Promise<T> {
    for (let pauseMs: number = limits.retryMs; ; pauseMs = Math.min(pauseMs * 2, limits.retryMaxMs)) {
      try {
        return await work();
      } catch (error) {
        if (this.#closed || (error as { code?: string }).code !== "DATABASE_UNAVAILABLE") throw error;
        await sleep(pauseMs);
      }
    }
  }

  #start(): void {
    if (this.#pumping || this.#closed) return;
    this.#pumping = true;
    // In the next turn: what the log brings in one piece is judged together.
    setImmediate(() => void this.#pump());
  }

  async #pump(): Promise<void> {
    let waits = false;
    try {
      for (let head = this.#queue.peek(); head !== undefined && !this.#closed; head = this.#queue.peek()) {
        if (head.kind === "task") {
          this.#queue.shift();
          await head.run();
        } else if (head.kind === "notice") {
          this.#queue.shift();
          this.#position = head.seq;
          await this.#onNotice(head);
        } else if (!(await this.#deliverBatch()) && this.#queue.peek() === head) {
          waits = true;
          break;
        }
      }
    } catch (error) {
      if (!this.#closed) {
        this.ports.log.error({ err: error, app: this.ports.appId }, "realtime: a batch failed");
        await sleep(limits.retryMaxMs);
        this.reset("stream_lost");
      }
    }
    this.#pumping = false;
    if (this.#queue.length > 0 && !waits) this.#start();
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
    await this.settle();
    const views = await this.persist(async () => {
      const loaded = await this.ports.load(names);
      await this.ports.mark();
      return loaded;
    });
    const blindBefore = this.noticeWaits ? this.#lastNotice : 0;
    // What they fetch on hearing of it must not come from anybody's memory of before.
    this.ports.onChanged(this.ports.appId);
    for (const state of states) {
      const before = state.view;
      state.setView(views.get(state.table)!, blindBefore);
      if (before !== null) this.#tellDifference(state, before);
      this.#compiling.viewRead(state, before);
      state.tellMissed(this.outbox);
    }
    this.outbox.flush();
  }

  /** What a change of the table's definition means to its subscribers. */
  #tellDifference(state: TableState, before: TableView): void {
    const view = state.view!;
    if (before.form !== view.form) state.missed("all", "table_changed");
    const changed = VIEWER_ROLES.filter((role) => !sameRoleView(before.roles[role], view.roles[role]));
    const otherColumns = JSON.stringify(before.columnTypes) !== JSON.stringify(view.columnTypes);
    const off = before.enabled && !view.enabled ? notEnabledFrame(state.table) : null;
    for (const group of state.subscriptions.groups()) {
      const { role } = group.identity;
      const looksDifferently = role !== "service" && changed.includes(role);
      for (const subscription of group.members) {
        if (off !== null) this.outbox.put(subscription, off, null);
        if (otherColumns) this.#readFiltersAgain(state, subscription);
        if (!looksDifferently) continue;
        const frame = resyncFrame(state.table, "policy_changed", subscription.id);
        this.outbox.resync(subscription, frame, "policy_changed");
      }
    }
  }

  #readFiltersAgain(state: TableState, subscription: Subscription): void {
    const { filters, problem } = readAgain(subscription, state.view!, this.ports.limitsHit);
    state.subscriptions.setFilters(subscription, filters);
    if (problem === null) return;
    const message = `The columns of ${state.table} have changed, and a filter lets nothing through any more: ${problem}`;
    this.outbox.put(subscription, errorFrame(message), null);
  }

  /** False: what waits is not complete yet. */
  async #deliverBatch(): Promise<boolean> {
    const entries = await this.#takeBatch();
    if (entries.length === 0) return false;
    const { shapes, judge, appId, metrics, clock } = this.ports;
    const all = entries.filter(isChange);
    const changes = all.flatMap((entry) => {
      const state = this.#tables.get(entry.table);
      return state?.view?.enabled ? [{ entry, state }] : [];
    });
    await this.#prepare([...all, ...this.#restOf(entries.at(-1)!.commit)]);
    const shape = (entry: ChangeEntry) => shapes.peek(entry.relation)!;
    const dependent = changes.some(
      ({ state: { view, subscriptions } }) =>
        (view!.dependsOn.length > 0 || view!.callsFunctions) && subscriptions.judgedBySql,
    );
    if (dependent || this.settling.count > limits.unsettledTransactions) await this.settle();
    const verdicts = await this.persist(() => decideAll(changes, { judge, appId, shape }));
    const filters = await this.persist(() =>
      decideFilters(changes, { asker: this.ports.filters, appId, shape }),
    );
    // What those policies read or call may have changed between the change and the verdict: the log tells.
    if (dependent) await this.persist(() => this.ports.mark());
    await deliver(entries, {
      tables: this.#tables,
      waitingOf: (commit) => this.#queue.ofCommit(commit),
      blind: (entry) => entry.seq < (this.#noticedAt.get(entry.commit) ?? 0),
      rulesChanged: this.noticeWaits,
      verdicts,
      filters,
      memberships: this.memberships,
      lastTouch: (table) => this.#touched.get(table) ?? 0,
      shape,
      settle: () => this.settle(),
      outbox: this.outbox,
    });
    for (const state of this.#tables.values()) this.#compiling.again(state);
    this.#sampling.take(changes, shape);
    const newest = changes.at(-1);
    if (newest !== undefined) metrics.lag.set((clock() - newest.entry.commit.commitTime.getTime()) / 1000);
    return true;
  }

  /**
   * The next entries up to a notice, a task, the limits, or a row of a form the table's view was not read for. Where
   * somebody's view is limited, none as long as the first transaction is not all there: what comes behind may change
   * who sees its rows. Where there are memberships, it stays whole as far as that goes.
   */
  async #takeBatch(): Promise<(ChangeEntry | TouchEntry)[]> {
    const batch: (ChangeEntry | TouchEntry)[] = [];
    let chars = 0;
    const limited = [...this.#tables.values()].some(({ subscriptions }) => subscriptions.limited);
    for (let head = this.#queue.peek(); head !== undefined; head = this.#queue.peek()) {
      if (head.kind === "task" || head.kind === "notice") break;
      const whole = this.memberships.size > 0;
      if ((whole || limited) && !head.commit.complete) break;
      const within = whole && batch.at(-1)?.commit === head.commit;
      if (!within && (batch.length >= limits.batchEntries || chars >= limits.batchChars)) break;
      if (isChange(head)) {
        const state = this.#tables.get(head.table);
        if (state !== undefined && !state.fits(head.relation)) {
          if (batch.length > 0) break;
          await this.#reload([state]);
          // What waited may have been given up meanwhile.
          if (this.#queue.peek() !== head) continue;
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

  /** What waits of a transaction. */
  #restOf(commit: Commit): ChangeEntry[] {
    if (this.memberships.size === 0) return [];
    return [...this.#queue.ofCommit(commit)].filter(isChange);
  }

  #prepare(entries: readonly ChangeEntry[]): Promise<void> {
    return this.persist(() => this.ports.shapes.prepare(entries.map(({ relation }) => relation)));
  }

  #asCompilingPorts(): ConstructorParameters<typeof Compiling>[0] {
    const channel = this;
    const { appId, rules, log, shapes } = this.ports;
    return {
      ...{ appId, rules, log, memberships: this.memberships, tables: this.#tables, queue: this.#queue },
      get closed() {
        return channel.#closed;
      },
      get generation() {
        return channel.#generation;
      },
      run: (work) => channel.run(work),
      settle: () => channel.settle(),
      mark: () => channel.ports.mark(),
      persist: (work) => channel.persist(work),
      prepare: (entries) => channel.#prepare(entries),
      shape: (entry) => shapes.peek(entry.relation)!,
    };
  }
}

function charsOf(row: Row | null): number {
  let chars = 0;
  if (row !== null) for (const value of row) if (typeof value === "string") chars += value.length;
  return chars;
}
