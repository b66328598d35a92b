import type { Database } from "../../engines/postgres/database.ts";
import type { LogWindow } from "../../engines/postgres/replication/window-types.ts";
import type { Gate } from "../../kernel/gate.ts";
import type { Log } from "../../kernel/log.ts";
import type { Metrics } from "../../kernel/metrics.ts";
import { nothingOf, readableBy, readFilter } from "./asked-filters.ts";
import type { Channel } from "./channel.ts";
import type { SubscribeFrame } from "./client-frames.ts";
import { columnList } from "./filters/columns.ts";
import { conditionFor } from "./filters/parse.ts";
import type { RowFilter } from "./filters/types.ts";
import { errorFrame, type Frame, frame, notEnabledFrame, type ResyncReason, resyncFrame } from "./frames.ts";
import { HoldBack } from "./holding.ts";
import type { Hub } from "./hub.ts";
import { type InitialRows, initialFrames, readInitial, TooManyRows } from "./initial.ts";
import { limits } from "./limits.ts";
import type { RealtimeMetrics } from "./metrics.ts";
import { type Missed, type Returning, replay } from "./replay.ts";
import { type Peer, type Subscription, subscriptionOf, type Viewer } from "./subscriptions.ts";
import type { TableState } from "./table-state.ts";
import type { TableView } from "./table-view.ts";

export interface SubscribingPorts {
  readonly hub: Hub;
  readonly database: Pick<Database, "asCaller">;
  readonly metrics: RealtimeMetrics;
  readonly limitsHit: Metrics["limitsHit"];
  readonly log: Log;
  /** Resolves once every change committed from then on will be read. */
  ready(): Promise<void>;
  /** Lets in only so many of an app's reads of initial rows at a time. */
  readonly initialReads: Gate;
  /** What of the log is kept for those who come back. */
  window(): LogWindow;
}

interface Kept {
  readonly state: TableState;
  readonly subscription: Subscription;
}

/** What a subscribe frame asks for, understood. */
interface Wanted {
  readonly filters: readonly RowFilter[] | null;
  readonly asked: readonly unknown[] | null;
  readonly columns: readonly string[] | null;
}

/** The subscriptions of one connection. Its methods are called one after the other. */
export class Subscribing {
  readonly #peer: Peer;
  readonly #appId: string;
  readonly #ports: SubscribingPorts;
  readonly #kept = new Map<string, Kept>();
  #open = true;

  constructor(peer: Peer, appId: string, ports: SubscribingPorts) {
    this.#peer = peer;
    this.#appId = appId;
    this.#ports = ports;
  }

  /** Some subscription is without its first rows, or without changes nobody could decide about. */
  get unsettled(): boolean {
    for (const { subscription } of this.#kept.values()) {
      if (subscription.blind || subscription.gate !== null) return true;
    }
    return false;
  }

  async subscribe(message: SubscribeFrame): Promise<void> {
    const { table } = message;
    if (!this.#kept.has(keyOf(message)) && this.#kept.size >= limits.subscriptionsPerConnection) {
      this.#ports.limitsHit.inc({ limit: "realtime_subscriptions" });
      return this.#refuse(
        message,
        `A connection may have ${limits.subscriptionsPerConnection} subscriptions: unsubscribe from one first.`,
      );
    }
    if (!(await this.#isReady())) {
      return this.#refuse(
        message,
        `Subscribing to ${table} failed: changes can't be read at the moment. Subscribe again in a few seconds.`,
      );
    }
    const { hub } = this.#ports;
    const appId = this.#appId;
    const channel = hub.channel(appId);
    const state = channel.hold(table);
    // What was read before is only in the window; from here on the table's rows come through the channel.
    const until = hub.position;
    try {
      await channel.run(() => this.#begin(message, channel, state, until));
    } finally {
      channel.release(state);
      hub.dropIfIdle(appId);
    }
  }

  /** Ends all subscriptions of a table, or the one with this id. */
  unsubscribe({
    table,
    id,
  }: {
    readonly table?: string | undefined;
    readonly id?: string | undefined;
  }): void {
    for (const [key, { subscription }] of this.#kept) {
      if (id === undefined ? subscription.table === table : subscription.id === id) this.#end(key);
    }
  }

  /** Goes on as another viewer. To be called from a task of the channel. */
  become(change: () => void): void {
    const all = [...this.#kept.values()].map(({ state, subscription }) => ({
      ...{ state, subscription },
      was: state.subscriptions.remove(subscription),
    }));
    change();
    for (const { state, subscription, was } of all) {
      subscription.projection = null;
      if (was) state.subscriptions.add(subscription);
    }
  }

  close(): void {
    this.#open = false;
    for (const key of [...this.#kept.keys()]) this.#end(key);
  }

  async #begin(message: SubscribeFrame, channel: Channel, state: TableState, until: string): Promise<void> {
    if (!this.#open) return;
    const view = await channel.view(state);
    const key = keyOf(message);
    const before = this.#kept.get(key);
    const wanted = this.#understand(message, view, before?.subscription);
    if (typeof wanted === "string") return this.#refuse(message, wanted);
    const refused = await this.#refused(channel, view, wanted.filters ?? []);
    if (refused !== null) return this.#refuse(message, refused);
    // What the client reads from now on has to hold all that came before its subscription.
    await channel.settle();
    if (!this.#open) return;
    const { table, id = null, filter } = message;
    if (before !== undefined) this.#end(key);
    const blind = before?.subscription.blind ?? false;
    const subscription = subscriptionOf(this.#peer, table, { id, ...wanted, blind });
    state.subscriptions.add(subscription);
    const kept = { state, subscription };
    this.#kept.set(key, kept);
    this.#ports.metrics.subscriptions.inc();
    const { since, initial = false } = message;
    const missed = since === undefined ? null : { since, until };
    const reason =
      id === null && before !== undefined
        ? reasonForOthers(before.subscription, missed)
        : missed === null
          ? null
          : await this.#replay(message, { channel, state, subscription }, missed);
    const resumed = missed !== null && reason === null;
    const loads = initial && !resumed;
    const replies: Frame[] = [
      frame({
        ...{ type: "subscribed", table, ...(id === null ? {} : { id }) },
        ...(filter === undefined || filter === null ? {} : { filter }),
        // What was missed comes behind this frame: who loses the connection in between comes back to the same place.
        seq: resumed ? missed.since : until,
        ...(missed === null ? {} : { resumed }),
      }),
    ];
    if (!view.enabled) replies.push(notEnabledFrame(table));
    if (reason !== null && !loads) {
      this.#ports.metrics.resyncs.inc({ reason });
      replies.push(resyncFrame(table, reason, id));
    }
    this.#peer.send(replies);
    if (loads && view.exists) {
      const gate = new HoldBack();
      subscription.gate = gate;
      void this.#load(key, kept, { channel, gate, seq: until });
    }
    channel.outbox.flush();
  }

  /** What was missed; or why that can't be told. */
  #replay(
    { epoch }: SubscribeFrame,
    returning: Returning,
    missed: Missed,
  ): Promise<ResyncReason | null> | ResyncReason {
    const window = this.#ports.window();
    if (epoch !== undefined && epoch !== window.epoch) return "window_over";
    return replay(returning, missed, window);
  }

  /** The filter and columns asked for, or what is wrong with them. */
  #understand(
    { filter, columns, id }: SubscribeFrame,
    view: TableView,
    before: Subscription | undefined,
  ): Wanted | string {
    const table = readableBy(view, this.#peer.viewer);
    let filters: readonly RowFilter[] | null = null;
    let asked: readonly unknown[] | null = null;
    if (filter !== undefined && filter !== null) {
      // The filter of a table that is not there yet is read when it is.
      const read = view.exists ? readFilter(filter, table, this.#ports.limitsHit) : nothingOf(filter);
      if (typeof read === "string") return read;
      filters = [read];
      asked = [filter];
    }
    if (id === undefined && before !== undefined) {
      ({ filters, asked } = anyOf(before, filters === null ? null : { filter: filters[0]!, asked: filter }));
    }
    if ((filters?.length ?? 0) > limits.filtersPerTable) {
      this.#ports.limitsHit.inc({ limit: "realtime_filters" });
      return `A table takes ${limits.filtersPerTable} filters per connection.`;
    }
    if (columns === undefined) return { filters, asked, columns: null };
    if (!view.exists) return { filters, asked, columns };
    const list = columnList(columns, table);
    return "problem" in list ? list.problem : { filters, asked, columns: list.names };
  }

  /** Why Postgres would not take one of the filters, whatever the row. */
  async #refused(channel: Channel, view: TableView, filters: readonly RowFilter[]): Promise<string | null> {
    for (const filter of filters) {
      if (!filter.needsSql) continue;
      const problem = await channel.persist(() => channel.ports.filters.problem(this.#appId, view, filter));
      if (problem !== null) return problem;
    }
    return null;
  }

  /** Sends the current rows, then what came since; on trouble says so and ends the subscription. */
  async #load(
    key: string,
    kept: Kept,
    { channel, gate, seq }: { channel: Channel; gate: HoldBack; seq: string },
  ): Promise<void> {
    const { state, subscription } = kept;
    const { table, id } = subscription;
    const { log } = this.#ports;
    const appId = this.#appId;
    try {
      for (let done = false; !done; ) {
        const { viewer } = this.#peer;
        const view = state.view!;
        const { snapshot, rows } = await this.#read({ channel, viewer, view, kept });
        done = await channel.run(() => {
          if (this.#kept.get(key) !== kept) return true;
          // Somebody else looks now, or rows have another form: what was read is not to be shown.
          if (this.#peer.viewer !== viewer || state.view!.form !== view.form) return false;
          subscription.gate = null;
          const held = gate.open(snapshot);
          const frames = initialFrames({ table, id, seq: held.seq ?? seq }, rows).concat(held.frames);
          if (gate.overflown) frames.push(resyncFrame(table, "too_slow", id));
          this.#peer.send(frames);
          return true;
        });
      }
    } catch (error) {
      if (this.#kept.get(key) !== kept) return;
      this.#end(key);
      if (!(error instanceof TooManyRows))
        log.warn({ err: error, app: appId }, "realtime: initial rows failed");
      this.#refuse(
        { table, id: id ?? undefined },
        error instanceof TooManyRows
          ? `Subscribing to ${table} failed: initial gives at most ${limits.initialRows} rows and ${limits.initialBytes} bytes. Narrow the filter, or subscribe first and load pages through the data API.`
          : `Subscribing to ${table} failed: its rows could not be read. Try again.`,
      );
    }
  }

  /** The current rows; when they are given, everything they contain has come through the log. */
  async #read({
    channel,
    viewer,
    view,
    kept: { state, subscription },
  }: {
    channel: Channel;
    viewer: Viewer;
    view: TableView;
    kept: Kept;
  }): Promise<InitialRows> {
    const { filters } = subscription;
    const { mask } = state.projections.of(subscription);
    const condition = filters === null ? null : filters.map(conditionFor).join(" or ");
    const request = { appId: this.#appId, viewer, view, mask, condition };
    // What was held back for another viewer has to be among the rows.
    await channel.settle();
    const read = await this.#ports.initialReads.run(this.#appId, () =>
      readInitial(this.#ports.database, request, (relation) => channel.ports.shapes.shape(relation)),
    );
    await channel.persist(() => this.#ports.hub.mark());
    return read;
  }

  #end(key: string): void {
    const { hub, metrics } = this.#ports;
    const appId = this.#appId;
    const kept = this.#kept.get(key);
    if (kept === undefined) return;
    this.#kept.delete(key);
    metrics.subscriptions.dec();
    kept.state.subscriptions.remove(kept.subscription);
    hub.existing(appId)?.forgetIfUnused(kept.state);
    hub.dropIfIdle(appId);
  }

  /** Says what is wrong with a subscription, and with which. */
  #refuse(
    { table, id }: { readonly table: string; readonly id?: string | undefined },
    problem: string,
  ): void {
    this.#peer.send([errorFrame(problem, { table, id })]);
  }

  async #isReady(): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const timer = setTimeout(resolve, limits.readyMs, false);
    this.#ports.ready().then(
      () => resolve(true),
      () => resolve(false),
    );
    const ready = await promise;
    clearTimeout(timer);
    return ready;
  }
}

const keyOf = ({ table, id }: Pick<SubscribeFrame, "table" | "id">): string =>
  id === undefined ? `table ${table}` : `id ${id}`;

/**
 * Why a subscription that goes on under other filters has to be loaded afresh, if it has: nobody knows what was sent
 * already of what it missed, and rows that were on their way don't come any more.
 */
const reasonForOthers = (before: Subscription, missed: Missed | null): ResyncReason | null =>
  missed !== null || before.gate !== null ? "filters_changed" : null;

/** Several filters without an id mean "any of them". */
function anyOf(
  before: Subscription,
  added: { readonly filter: RowFilter; readonly asked: unknown } | null,
): Pick<Subscription, "filters" | "asked"> {
  if (before.filters === null || added === null) return { filters: null, asked: null };
  const { filters, asked } = before;
  if (filters.some(({ key }) => key === added.filter.key)) return { filters, asked };
  return { filters: [...filters, added.filter], asked: [...(asked ?? []), added.asked] };
}
