import { limits } from "./limits.ts";

export type ProblemKind =
  /** The first line is not the header of an export; nothing else was looked at. */
  | "not_an_export"
  /** A line that is neither an entry nor a checkpoint. */
  | "unreadable_line"
  /** An entry whose text no ledger would have written. */
  | "entry_malformed"
  /** What is said to be sealed in an entry is not. */
  | "opening_mismatch"
  /** Numbers that are left out. */
  | "missing"
  /** An entry after one with a larger number. */
  | "reordered"
  /** A second entry with the same number. */
  | "duplicate_index"
  /** A second entry with the same id. */
  | "duplicate_id"
  /** Entries that are not those that were signed. */
  | "changed"
  /** Fewer entries than were signed, renumbered. */
  | "removed"
  /** More entries than were signed. */
  | "inserted"
  /** The end of the ledger is not there. */
  | "tail_cut"
  /** A checkpoint that the key has not signed, or not for this ledger. */
  | "forged_signature"
  /** Entries that are not those of a checkpoint the verifier kept. */
  | "rewritten"
  /** Entries after the last signed checkpoint, or no such checkpoint at all. */
  | "unsigned";

/** One thing that is wrong. Numbers of entries count from 0. */
export interface Problem {
  readonly kind: ProblemKind;
  /** In plain words, naming the entries. */
  readonly message: string;
  /** The entry, where exactly one is known to be wrong. */
  readonly index?: number;
  /** First and last of the entries among which it is. */
  readonly from?: number;
  readonly to?: number;
  /** Of the export, counting from 1. */
  readonly line?: number;
}

export interface Report {
  /** Whether the export is exactly what was signed: no problem was found. */
  readonly ok: boolean;
  /** Entries the export has, told or not. */
  readonly size: number;
  /** Entries told in full. */
  readonly entries: number;
  /** Entries of which only the hash is there. */
  readonly foreign: number;
  /** The hashes of the first so many entries are those the key signed, and so are these entries unless a problem names them. */
  readonly proven: number;
  /** Checkpoints of the export with a good signature. */
  readonly checkpoints: number;
  readonly openings: {
    /** Sealed values that were there and fit. */
    readonly checked: number;
    /** Sealed values that are not there: erased, or kept back. */
    readonly erased: number;
  };
  readonly problems: readonly Problem[];
  /** Problems beyond those listed. */
  readonly omitted: number;
}

/** Collects problems up to the limit. */
export class Problems {
  readonly list: Problem[] = [];
  omitted = 0;

  add(problem: Problem): void {
    if (this.list.length < limits.problems) this.list.push(problem);
    else this.omitted += 1;
  }
}

/** "entry 7" or "entries 7 to 9". */
export const entriesText = (from: number, to: number): string =>
  from === to ? `entry ${from}` : `entries ${from} to ${to}`;

/** "1 entry" or "7 entries". */
export const countText = (count: number): string => (count === 1 ? "1 entry" : `${count} entries`);

export const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** A piece of the input, fit to be shown: short and without control characters. */
export const quoted = (text: string): string => JSON.stringify(text.slice(0, limits.quotedChars));
