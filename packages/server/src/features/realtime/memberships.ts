import { readerOf } from "./images.ts";
import { SetOutOfStep } from "./policies/member-set.ts";
import type { CompiledRule, Member, MembershipSet, SetSource } from "./policies/types.ts";
import { type ChangeEntry, type Commit, type EntryQueue, isChange } from "./queue.ts";
import type { Shape } from "./record.ts";
import { isVisible } from "./settling.ts";
import type { TableState } from "./table-state.ts";

/** The members of a source as a query saw them. */
export interface LoadedMembers {
  /** The text of `pg_current_snapshot()` of that query. */
  readonly snapshot: string;
  /** Texts of the source's columns, in its order. */
  readonly rows: readonly (readonly (string | null)[])[];
}

/** Whom a change concerned, of one source. */
export interface Moved {
  readonly source: SetSource;
  readonly members: readonly Member[];
}

/** The sets that an app's compiled policies use, each at the place of the log its channel has reached. */
export class Memberships {
  readonly #sets = new Map<string, MembershipSet>();
  /** Tables whose rows are kept in the queue, as sets are made or about to be made from them. */
  readonly #tables = new Set<string>();
  /** The last transaction all of whose changes the sets have taken, also those not delivered yet. */
  movedBy: Commit | null = null;

  get size(): number {
    return this.#sets.size;
  }

  /** Bytes held by all sets. */
  get bytes(): number {
    let bytes = 0;
    for (const set of this.#sets.values()) bytes += set.bytes;
    return bytes;
  }

  /** Rows of the table have to be kept. */
  watches(table: string): boolean {
    return this.#tables.has(table);
  }

  /** From now on the rules' tables are watched. */
  watch(rule: CompiledRule): void {
    for (const { table } of rule.sources) this.#tables.add(table);
  }

  get(source: SetSource): MembershipSet | undefined {
    return this.#sets.get(source.key);
  }

  /**
   * Makes a set of what a query saw, and takes it back to where the channel is: what the query saw already of the
   * changes that still wait is undone. False if that can't be done, as something of them is not there.
   */
  load(set: MembershipSet, { snapshot, rows }: LoadedMembers, queue: EntryQueue, shape: ShapeOf): boolean {
    const seen: ChangeEntry[] = [];
    for (const entry of queue.waiting()) {
      if (entry.kind === "task" || entry.kind === "notice" || entry.table !== set.source.table) continue;
      // The other sets are behind this one already.
      if (entry.commit === this.movedBy || !isVisible(entry.commit.xid, snapshot)) continue;
      if (!isChange(entry) || (entry.kind !== "insert" && entry.old === null)) return false;
      seen.push(entry);
    }
    set.load(rows);
    try {
      for (const entry of seen.reverse()) {
        const form = shape(entry);
        set.apply(
          entry.new === null ? null : readerOf(entry.new, form),
          entry.old === null ? null : readerOf(entry.old, form),
        );
      }
    } catch (error) {
      if (error instanceof SetOutOfStep) return false;
      throw error;
    }
    this.#sets.set(set.source.key, set);
    return true;
  }

  /** Moves the table's sets on by one change; null if one of them can't follow. */
  apply(entry: ChangeEntry, shape: Shape): Moved[] | null {
    try {
      return this.#move(entry, shape);
    } catch (error) {
      if (error instanceof SetOutOfStep) return null;
      throw error;
    }
  }

  #move(entry: ChangeEntry, shape: Shape): Moved[] {
    const moved: Moved[] = [];
    for (const set of this.#sets.values()) {
      if (set.source.table !== entry.table) continue;
      const members = set.apply(
        entry.old === null ? null : readerOf(entry.old, shape),
        entry.new === null ? null : readerOf(entry.new, shape),
      );
      if (members.length > 0) moved.push({ source: set.source, members });
    }
    return moved;
  }

  /** Nobody knows any more who belongs to this table's sets: those who are judged by them go over to SQL. */
  forget(table: string, tables: ReadonlyMap<string, TableState>): TableState[] {
    for (const [key, set] of this.#sets) if (set.source.table === table) this.#sets.delete(key);
    return [...tables.values()].filter((state) => state.giveUpSources(table));
  }

  clear(): void {
    this.#sets.clear();
  }

  drop(source: SetSource): void {
    this.#sets.delete(source.key);
  }

  /** Keeps only what these rules use. */
  prune(rules: Iterable<CompiledRule>): void {
    const sources = [...rules].flatMap((rule) => rule.sources);
    const keys = new Set(sources.map(({ key }) => key));
    for (const key of this.#sets.keys()) if (!keys.has(key)) this.#sets.delete(key);
    this.#tables.clear();
    for (const { table } of sources) this.#tables.add(table);
  }
}

type ShapeOf = (entry: ChangeEntry) => Shape;
