import type { Relation, Row } from "../../engines/postgres/replication/pgoutput.ts";
import type { StreamEvent } from "../../engines/postgres/replication/transactions.ts";
import type { ResyncReason } from "./frames.ts";

/** A committed transaction as its changes name it; one object for all of them, however many parts it comes in. */
export interface Commit {
  readonly commitLsn: bigint;
  readonly commitTime: Date;
  readonly xid: number;
  /** All of it has been pushed. */
  complete: boolean;
}

/** A change of a row of a table somebody subscribes to, or that memberships are made from. */
export interface ChangeEntry {
  readonly kind: "insert" | "update" | "delete";
  /** Counts an app's events in the order of the log. */
  readonly seq: number;
  readonly commit: Commit;
  /** The event's number in its transaction. */
  readonly index: number;
  readonly table: string;
  readonly relation: Relation;
  readonly old: Row | null;
  readonly new: Row | null;
  /** Characters of row text. */
  readonly size: number;
}

/** The rows before and after a change, as far as there are any. */
export const rowsOf = (event: RowEvent): { readonly old: Row | null; readonly new: Row | null } => ({
  old: event.kind === "insert" ? null : event.old,
  new: event.kind === "delete" ? null : event.new,
});

/** A change of a row as the log has it. */
export type RowEvent = Exclude<StreamEvent, { kind: "message" | "truncate" }>;

/** A table nobody subscribes to changed, or (`truncate`) any table was emptied. */
export interface TouchEntry {
  readonly kind: "touch" | "truncate";
  readonly seq: number;
  readonly commit: Commit;
  readonly table: string;
}

/** Tables, grants or policies may have changed here. `resync` names tables (null: all) of which changes are missing. */
export interface NoticeEntry {
  readonly kind: "notice";
  readonly seq: number;
  readonly resync: { readonly tables: readonly string[] | null; readonly reason: ResyncReason } | null;
}

/** Work that has its place between the changes, such as a new subscription. */
export interface TaskEntry {
  readonly kind: "task";
  run(): Promise<void>;
}

export type Entry = ChangeEntry | TouchEntry | NoticeEntry | TaskEntry;

export const isChange = (entry: Entry): entry is ChangeEntry => "relation" in entry;

const sizeOf = (entry: Entry): number => (isChange(entry) ? entry.size : 0);

/** What waits for one app, oldest first, with its size. */
export class EntryQueue {
  #entries: (Entry | undefined)[] = [];
  #head = 0;
  #chars = 0;

  get length(): number {
    return this.#entries.length - this.#head;
  }

  /** Characters of row text that wait. */
  get chars(): number {
    return this.#chars;
  }

  push(entry: Entry): void {
    const last = this.#entries.at(-1);
    if (entry.kind === "touch" && last?.kind === "touch" && last.table === entry.table) this.#entries.pop();
    this.#entries.push(entry);
    this.#chars += sizeOf(entry);
  }

  peek(): Entry | undefined {
    return this.#entries[this.#head];
  }

  shift(): Entry | undefined {
    const entry = this.#entries[this.#head];
    if (entry === undefined) return undefined;
    this.#entries[this.#head++] = undefined;
    this.#chars -= sizeOf(entry);
    if (this.#head > 1_024 && this.#head * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head);
      this.#head = 0;
    }
    return entry;
  }

  /** What waits of one transaction, if it is the next. */
  *ofCommit(commit: Commit): IterableIterator<ChangeEntry | TouchEntry> {
    for (const entry of this.waiting()) {
      if (entry.kind === "task" || entry.kind === "notice") continue;
      if (entry.commit !== commit) return;
      yield entry;
    }
  }

  /** What waits, oldest first. */
  *waiting(): IterableIterator<Entry> {
    for (let at = this.#head; at < this.#entries.length; at += 1) yield this.#entries[at]!;
  }

  /** Drops every change and every notice; tasks stay. */
  keepTasks(): void {
    this.#entries = this.#entries.slice(this.#head).filter((entry) => entry?.kind === "task");
    this.#head = 0;
    this.#chars = 0;
  }
}
