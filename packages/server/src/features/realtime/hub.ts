import type { Relation, Row } from "../../engines/postgres/replication/pgoutput.ts";
import type { StreamEvent, Transaction } from "../../engines/postgres/replication/transactions.ts";
import { errors } from "../../kernel/errors.ts";
import { Channel, type ChannelPorts } from "./channel.ts";
import { BEHIND_ALL, type ResyncReason, seqOf } from "./frames.ts";
import { limits } from "./limits.ts";
import { MARK_PREFIX, NOTICE_PREFIX, type Notice, OWN_NOTICE, readNotice } from "./messages.ts";
import { type Commit, type RowEvent, rowsOf } from "./queue.ts";
import { Settling } from "./settling.ts";

export interface HubPorts extends Omit<ChannelPorts, "appId" | "load" | "mark"> {
  load(appId: string, tables: readonly string[]): ReturnType<ChannelPorts["load"]>;
  /** Writes a message into the log, outside of any transaction and flushed. */
  writeMark(content: string): Promise<void>;
  /** Everything that committed before this position has been given to `accept`, if it has anything for it. */
  readTo(): bigint;
  /** Names this process in its marks. */
  readonly nodeId: string;
  /** An app's tables, grants or policies were changed by this transaction. */
  onNotice(appId: string, xid: number): void;
  /** An end user's session was deleted. */
  onSessionEnded(sessionId: string): void;
}

type MessageEvent = Extract<StreamEvent, { kind: "message" }>;

interface Waiter {
  resolve(): void;
  reject(error: unknown): void;
}

/** Deals the stream of committed transactions out to the channels of the apps that have connections. */
export class Hub {
  readonly #ports: HubPorts;
  readonly #channels = new Map<string, Channel>();
  readonly #marks = new Map<string, Waiter>();
  /** Transactions that no channel took, and that queries may not see yet. */
  readonly #unheard = new Settling();
  #looking = false;
  #nextMark = 0;
  /** The transaction whose parts are coming, or came last. */
  #commit: Commit | null = null;
  /** The last event taken. */
  #place = { commitLsn: 0n, index: BEHIND_ALL };

  constructor(ports: HubPorts) {
    this.#ports = ports;
  }

  /** The app's channel; made when there is none. */
  channel(appId: string): Channel {
    let channel = this.#channels.get(appId);
    if (channel === undefined) {
      const load = (tables: readonly string[]) => this.#ports.load(appId, tables);
      channel = new Channel({ ...this.#ports, appId, load, mark: () => this.mark() });
      channel.settling.addAll(this.#unheard);
      this.#channels.set(appId, channel);
    }
    return channel;
  }

  /** Forgets an app's channel once nobody subscribes to anything. */
  dropIfIdle(appId: string): void {
    const channel = this.#channels.get(appId);
    if (!channel?.idle) return;
    channel.close();
    this.#unheard.addAll(channel.settling);
    this.#channels.delete(appId);
  }

  /** The channel, if the app has one. */
  existing(appId: string): Channel | undefined {
    return this.#channels.get(appId);
  }

  /** The text of the place up to which everything was taken. */
  get position(): string {
    const place = seqOf(this.#place.commitLsn, this.#place.index);
    const readTo = this.#ports.readTo();
    const read = readTo > 0n ? seqOf(readTo - 1n, BEHIND_ALL) : "";
    return read > place ? read : place;
  }

  /**
   * Up to where an app's clients have been sent everything, as a text of a place; null while something of the app is
   * on its way.
   */
  positionOf(appId: string): string | null {
    return this.#channels.get(appId)?.quiet === false ? null : this.position;
  }

  /**
   * Takes one committed transaction, or part of one. Never waits. Its rows appeared together with what it changed of
   * policies, so its notices come first.
   */
  accept(transaction: Transaction): void {
    const { events, xid, commitLsn, endLsn, firstEvent, final } = transaction;
    const commit = this.#commitOf(transaction);
    for (const event of events) {
      if (event.kind === "message") this.#acceptMessage(event, xid, firstEvent > 0 ? commit : null);
    }
    for (const [at, event] of events.entries()) {
      if (event.kind === "truncate") {
        for (const { schema, table } of event.relations) this.#channels.get(schema)?.truncated(table, commit);
      } else if (event.kind !== "message") {
        if (event.relation.schema === "ambit") this.#acceptOwn(event);
        else this.#acceptChange(event, commit, firstEvent + at);
      }
    }
    if (events.some((event) => this.#isUnheard(event))) this.#expect(xid);
    // A complete transaction is told as the last place before the next one could begin.
    this.#place = final
      ? { commitLsn: endLsn - 1n, index: BEHIND_ALL }
      : { commitLsn, index: firstEvent + events.length - 1 };
    if (final && firstEvent > 0) for (const channel of this.#channels.values()) channel.committed();
  }

  /** Changes were lost: marks on their way won't arrive, and every client has to load afresh. */
  reset(reason: ResyncReason): void {
    const waiting = [...this.#marks.values()];
    this.#marks.clear();
    for (const channel of this.#channels.values()) channel.reset(reason);
    for (const waiter of waiting) waiter.reject(errors.DATABASE_UNAVAILABLE());
  }

  close(): void {
    for (const channel of this.#channels.values()) channel.close();
    this.#channels.clear();
    for (const waiter of this.#marks.values()) waiter.reject(errors.DATABASE_UNAVAILABLE());
    this.#marks.clear();
  }

  /** Resolves when everything committed before the call has been taken; rejects when changes are lost meanwhile. */
  mark(): Promise<void> {
    const id = `${this.#ports.nodeId}/${this.#nextMark++}`;
    return new Promise((resolve, reject) => {
      this.#marks.set(id, { resolve, reject });
      this.#ports.writeMark(id).catch((error) => {
        this.#marks.delete(id);
        reject(error);
      });
    });
  }

  /** Whoever comes later reads rows and policies of after this event, and must not read before it is visible. */
  #isUnheard(event: StreamEvent): boolean {
    if (event.kind === "truncate") return event.relations.some(({ schema }) => !this.#channels.has(schema));
    if (event.kind !== "message") return !this.#channels.has(event.relation.schema);
    const app = event.prefix === NOTICE_PREFIX ? readNotice(event.content)?.app : undefined;
    return app !== undefined && !this.#channels.has(app);
  }

  #expect(xid: number): void {
    this.#unheard.add(xid);
    if (this.#looking || this.#unheard.count <= limits.unheardTransactions) return;
    this.#looking = true;
    const look = async () => void this.#unheard.settledBy(await this.#ports.snapshot());
    look()
      .catch(() => {})
      .finally(() => {
        this.#looking = false;
      });
  }

  /** One object for all parts of a transaction. */
  #commitOf({ commitLsn, commitTime, xid, final }: Transaction): Commit {
    if (this.#commit?.commitLsn !== commitLsn) this.#commit = { commitLsn, commitTime, xid, complete: final };
    else this.#commit.complete = final;
    return this.#commit;
  }

  #acceptChange(event: RowEvent, commit: Commit, index: number): void {
    const { relation, kind } = event;
    this.#channels.get(relation.schema)?.change(relation.table, commit, {
      ...{ kind, index, relation },
      ...rowsOf(event),
    });
  }

  #acceptMessage({ prefix, content }: MessageEvent, xid: number, within: Commit | null): void {
    if (prefix === MARK_PREFIX) {
      const id = content.toString();
      this.#marks.get(id)?.resolve();
      this.#marks.delete(id);
    } else if (prefix === NOTICE_PREFIX) {
      const notice = readNotice(content);
      if (notice !== null) this.#acceptNotice(notice, xid, within);
    }
  }

  #acceptNotice({ app, what, resync: tables = [] }: Notice, xid: number, within: Commit | null): void {
    const channel = this.#channels.get(app);
    if (what === OWN_NOTICE) {
      channel?.configured(tables.length === 0 ? null : { tables, reason: "table_enabled" }, xid);
    } else {
      channel?.notice(null, xid, within);
      this.#ports.onNotice(app, xid);
    }
  }

  #acceptOwn(event: RowEvent): void {
    if (event.kind !== "delete" || event.relation.table !== "auth_sessions") return;
    const id = valueIn(event.relation, event.old, "id");
    if (id !== null) this.#ports.onSessionEnded(id);
  }
}

function valueIn(relation: Relation, row: Row, column: string): string | null {
  const value = row[relation.columns.findIndex(({ name }) => name === column)];
  return typeof value === "string" ? value : null;
}
