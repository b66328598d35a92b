import { AmbitError } from "../../kernel/errors.ts";
import { type ClientFrame, readClientFrame } from "./client-frames.ts";
import { addFilter } from "./filter.ts";
import { errorFrame, type Frame, frame, notEnabledFrame, resyncFrame } from "./frames.ts";
import type { Hub } from "./hub.ts";
import { limits } from "./limits.ts";
import type { RealtimeMetrics } from "./metrics.ts";
import type { Presence } from "./presence.ts";
import type { Peer, Viewer } from "./subscriptions.ts";
import type { TableState } from "./table-state.ts";
import type { TableView } from "./table-view.ts";

/** The far end of a connection: what the door gives. */
export interface Transport {
  send(frames: readonly Frame[]): void;
  /** Who a fresh credential speaks for, and a way to go on with it; throws AUTH_* for a bad one. */
  authenticate(token: string): Promise<{ viewer: Viewer; adopt(): void }>;
}

export interface ConnectionPorts {
  readonly appId: string;
  readonly clientId: string;
  readonly hub: Hub;
  /** Resolves once every change committed from then on will be read. */
  ready(): Promise<void>;
  readonly presence: Presence;
  readonly metrics: RealtimeMetrics;
  /** Runs the function an event is meant for; null if there is none. */
  onEvent(event: {
    appId: string;
    viewer: Viewer;
    name: string;
    payload: unknown;
  }): Promise<{ data: unknown } | null>;
}

/** One client's conversation. Frames are answered one after the other, in the order they came. */
export class Connection implements Peer {
  viewer: Viewer;
  readonly #ports: ConnectionPorts;
  readonly #transport: Transport;
  readonly #tables = new Set<string>();
  #tail: Promise<void> = Promise.resolve();
  #waiting = 0;
  #open = true;

  constructor(viewer: Viewer, transport: Transport, ports: ConnectionPorts) {
    this.viewer = viewer;
    this.#transport = transport;
    this.#ports = ports;
    ports.metrics.connections.inc();
  }

  send(frames: readonly Frame[]): void {
    if (this.#open) this.#transport.send(frames);
  }

  /** Takes one text message from the client. */
  receive(text: string): void {
    if (this.#waiting >= limits.messagesWaiting) {
      this.send([errorFrame("Too many messages wait for an answer: this one was not taken.")]);
      return;
    }
    const read = readClientFrame(text);
    this.#waiting += 1;
    this.#tail = this.#tail.then(async () => {
      this.#waiting -= 1;
      if (!this.#open) return;
      if ("problem" in read) return this.send([errorFrame(read.problem)]);
      try {
        await this.#answer(read.frame);
      } catch (error) {
        const message =
          error instanceof AmbitError ? error.message : "The message could not be handled. Try again.";
        this.send([errorFrame(message)]);
      }
    });
  }

  /** Ends the conversation; nothing is sent any more. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#ports.metrics.connections.dec();
    for (const table of this.#tables) this.#drop(table);
    this.#tables.clear();
    this.#ports.presence.leave(this.#ports.appId, this.#ports.clientId);
  }

  async #answer(message: ClientFrame): Promise<void> {
    const { appId, clientId, presence } = this.#ports;
    switch (message.type) {
      case "subscribe":
        return this.#subscribe(message.table, message.filter ?? null);
      case "unsubscribe":
        if (this.#tables.delete(message.table)) this.#drop(message.table);
        return this.send([frame({ type: "unsubscribed", table: message.table })]);
      case "presence_track":
        return presence.track(appId, this, clientId, message.metadata ?? {});
      case "presence_update":
        if (presence.update(appId, clientId, message.metadata ?? {})) return;
        return this.send([errorFrame("presence_update comes after presence_track.")]);
      case "event":
        return this.#event(message.event, message.payload ?? null);
      case "auth":
        return this.#renew(message.token);
    }
  }

  async #subscribe(table: string, filter: Record<string, unknown> | null): Promise<void> {
    if (!this.#tables.has(table) && this.#tables.size >= limits.subscriptionsPerConnection) {
      const message = `A connection may subscribe to ${limits.subscriptionsPerConnection} tables: unsubscribe from one first.`;
      return this.send([errorFrame(message)]);
    }
    if (!(await this.#isReady())) {
      const message = `Subscribing to ${table} failed: changes can't be read at the moment. Subscribe again in a few seconds.`;
      return this.send([errorFrame(message)]);
    }
    const { hub, appId } = this.#ports;
    const channel = hub.channel(appId);
    const state = channel.hold(table);
    try {
      await channel.run(async () => {
        if (!this.#open) return;
        const view = await channel.view(state);
        const problem = filter === null ? null : filterProblem(view, this.viewer, filter);
        const known = state.subscriptions.get(this)?.filters;
        const filters = addFilter(known, filter === null ? null : new Map(Object.entries(filter)));
        if (problem !== null || (filters?.length ?? 0) > limits.filtersPerTable) {
          return this.send([
            errorFrame(problem ?? `A table takes ${limits.filtersPerTable} filters per connection.`),
          ]);
        }
        if (!this.#open) return;
        const replies = [frame({ type: "subscribed", table, ...(filter === null ? {} : { filter }) })];
        if (!view.enabled) replies.push(notEnabledFrame(table));
        this.send(replies);
        state.subscriptions.set(this, filters);
        if (!this.#tables.has(table)) this.#ports.metrics.subscriptions.inc();
        this.#tables.add(table);
      });
    } finally {
      channel.release(state);
      hub.dropIfIdle(appId);
    }
  }

  #drop(table: string): void {
    const { hub, appId, metrics } = this.#ports;
    metrics.subscriptions.dec();
    const channel = hub.existing(appId);
    const state = channel?.tables.get(table);
    if (channel === undefined || state === undefined) return;
    state.subscriptions.delete(this);
    channel.forgetIfUnused(state);
    hub.dropIfIdle(appId);
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

  async #event(name: string, payload: unknown): Promise<void> {
    const { appId } = this.#ports;
    const answer = await this.#ports.onEvent({ appId, viewer: this.viewer, name, payload });
    if (answer === null) return this.send([errorFrame(`No handler for event: ${name}`)]);
    this.send([frame({ type: "event_response", event: name, data: answer.data })]);
  }

  /** Goes on with a fresh token of the same user. New claims may show other rows. */
  async #renew(token: string): Promise<void> {
    const { viewer, adopt } = await this.#transport.authenticate(token);
    if (viewer.role !== this.viewer.role || viewer.userId !== this.viewer.userId) {
      return this.send([errorFrame("The token belongs to somebody else. Open a new connection for it.")]);
    }
    adopt();
    const before = this.viewer;
    const channel = this.#ports.hub.existing(this.#ports.appId);
    if (channel === undefined) this.viewer = viewer;
    else await channel.run(() => this.#become(viewer, [...channel.tables.values()]));
    const replies = [frame({ type: "authenticated" })];
    if (!sameStanding(before.claims, viewer.claims)) replies.push(resyncFrame(null, "identity_changed"));
    this.send(replies);
  }

  #become(viewer: Viewer, states: readonly TableState[]): void {
    const taken = states.map(({ subscriptions }) => ({ subscriptions, mine: subscriptions.delete(this) }));
    this.viewer = viewer;
    for (const { subscriptions, mine } of taken) {
      if (mine !== undefined) subscriptions.set(this, mine.filters).blind = mine.blind;
    }
  }
}

/** Claims that differ between two tokens of one user and say nothing about the user. */
const OF_THE_TOKEN = ["iat", "exp", "nbf", "jti", "sid"];

function sameStanding(a: string, b: string): boolean {
  const standing = (claims: string) => {
    const entries = Object.entries(claims === "" ? {} : JSON.parse(claims));
    return JSON.stringify(entries.filter(([name]) => !OF_THE_TOKEN.includes(name)).sort());
  };
  return standing(a) === standing(b);
}

function filterProblem(view: TableView, viewer: Viewer, filter: Record<string, unknown>): string | null {
  if (!view.exists) return null;
  const mask = viewer.role === "service" ? null : view.roles[viewer.role].mask;
  const unreadable = Object.keys(filter).find(
    (column) => !view.columns.has(column) || mask?.has(column) === false,
  );
  if (unreadable === undefined) return null;
  return `The filter names ${unreadable.slice(0, 63)}: ${view.table} has no such column that this connection may read.`;
}
