import type { Identity } from "../judge.ts";
import type { SourceColumn } from "./source.ts";

/** A logged row, by column: the text the log has, null for NULL, undefined where the log has no value to give. */
export type RowReader = (column: string) => string | null | undefined;

/** Where a set of members comes from: rows of a table of the same app, followed through the log. */
export interface SetSource {
  /** Equal for sources that hold the same: they share one set. */
  readonly key: string;
  readonly table: string;
  /** Columns of that table which the set is made from. */
  readonly columns: readonly string[];
}

/** Which members of a set a change concerned: the claims' values, as one text. */
export type Member = string;

/**
 * The members of one source at one place of the log. Loaded once, then moved on by the source table's own changes in
 * commit order.
 */
export interface MembershipSet {
  readonly source: SetSource;
  /** Replaces everything; rows hold the texts of `source.columns`, in that order. */
  load(rows: Iterable<readonly (string | null)[]>): void;
  /**
   * Takes one logged change; gives the members that hold something else afterwards than before. Throws a SetOutOfStep
   * when that can't be told, as a value is not in the log or the row was never there; the set is to be loaded again.
   */
  apply(before: RowReader | null, after: RowReader | null): readonly Member[];
  /** The members that a row of the source stands for, whatever is held at present. */
  membersOf(row: RowReader): readonly Member[];
  /** Approximate bytes held. */
  readonly bytes: number;
}

/** Somebody (or several of the same standing) who watches a table. */
export interface Watcher {
  readonly identity: Identity;
}

/**
 * Who of the watchers sees a row, found from the row's own values: no watcher is asked one by one. Exact, or it says
 * that it can't tell.
 */
export interface VisibilityIndex<W extends Watcher> {
  /** False: this identity's claims are of a kind for which only SQL is exact; it is not kept. */
  add(watcher: W): boolean;
  remove(watcher: W): void;
  /** Those who see the row, each once; null if a column it needs is not there. */
  seeing(row: RowReader): Iterable<W> | null;
  /** Whether one watcher, added or not, sees the row; null if it can't be told here. */
  sees(identity: Identity, row: RowReader): boolean | null;
  /** The watchers among those added whom a change of these members concerns. */
  holding(source: SetSource, members: readonly Member[]): Iterable<W>;
  readonly size: number;
}

/** A role's policies on a table, in a form that needs no SQL. Made by `compileRule`. */
export interface CompiledRule {
  /** Equal for rules that decide the same way; what a check of the rule is remembered under. */
  readonly key: string;
  /** Columns of the table whose values it reads. */
  readonly columns: readonly string[];
  readonly sources: readonly SetSource[];
  /** `set` gives the one set of each source. */
  index<W extends Watcher>(set: (source: SetSource) => MembershipSet): VisibilityIndex<W>;
  newSet(source: SetSource): MembershipSet;
  readonly probes: Probes;
}

/** What a check of a rule has to try, as its policies name it. */
export interface Probes {
  /** Columns of the table, by name. */
  readonly columns: ReadonlyMap<string, SourceColumn>;
  readonly constants: readonly string[];
  /** Places in the claims. */
  readonly paths: readonly (readonly string[])[];
}
