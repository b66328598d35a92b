import { LedgerError } from "./errors.ts";
import { Frontier } from "./frontier.ts";
import { KeptCheckpoints, openOwnCheckpoint } from "./kept.ts";
import type { VerifierKey } from "./keys.ts";
import { countText, entriesText, type ProblemKind, type Problems } from "./report.ts";
import type { Checkpoint, Hash } from "./types.ts";

/** Grows the tree from the entries of an export and compares its roots with those that were signed. */
export class RootCheck {
  readonly #key: VerifierKey;
  readonly #problems: Problems;
  readonly #kept: KeptCheckpoints;
  readonly #tree = new Frontier();
  /** Every entry so far was in its place, so that the tree means something. */
  #intact = true;
  /** What is wrong after the last good root has been told; more roots would only tell it again. */
  #told = false;
  #signed = false;
  /** The largest checkpoint that stood where fewer entries had come. */
  #ahead = 0;
  /** The first so many entries are those that were signed. */
  proven = 0;
  /** Checkpoints with a good signature. */
  checkpoints = 0;

  /** Throws LedgerError for kept checkpoints that the key has not signed. */
  constructor(key: VerifierKey, kept: readonly string[], problems: Problems) {
    this.#key = key;
    this.#problems = problems;
    this.#kept = new KeptCheckpoints(kept, key);
    this.#compareKept();
  }

  /** Takes the next entry's hash. */
  append(leaf: Hash): void {
    if (!this.#intact) return;
    this.#tree.append(leaf);
    this.#compareKept();
  }

  /** From here on entries are not in their places; roots can't be told any more. */
  breakOff(): void {
    this.#intact = false;
  }

  /** More entries come: a checkpoint over more than had come before it was not the end of the export. */
  goOn(): void {
    if (this.#ahead > 0)
      this.#tell("removed", this.proven, this.#ahead - 1, "at least one of them was taken out");
    this.#ahead = 0;
  }

  /** Takes a checkpoint that stands in line `line`, after `seen` entries. */
  addCheckpoint(note: string, seen: number, line: number): void {
    const checkpoint = this.#open(note, line);
    if (checkpoint === null) return;
    this.checkpoints += 1;
    if (checkpoint.size > seen) this.#ahead = Math.max(this.#ahead, checkpoint.size);
    else if (!this.#intact) return;
    else if (checkpoint.size < seen) this.#late(checkpoint.size, seen, line);
    else if (this.#tree.root().equals(checkpoint.root)) {
      this.#told = false;
      this.#signed = true;
      this.proven = seen;
    } else if (this.proven < seen)
      this.#tell("changed", this.proven, seen - 1, "at least one of them was changed or has changed places");
    else {
      const message = `Line ${line}: two checkpoints over ${countText(seen)} are signed, with different roots.`;
      this.#problems.add({ kind: "changed", message, line });
    }
  }

  /** Tells what can only be told at the end, after `seen` entries of which the header had announced `announced`. */
  finish(seen: number, announced: number): void {
    const signed = Math.max(this.#ahead, this.#kept.largestSize);
    if (signed > seen) {
      const source = this.#ahead === signed ? "a checkpoint of the export" : "a checkpoint you kept";
      this.#cut(seen, signed, `${source} covers ${countText(signed)}`);
    } else if (announced > seen)
      this.#cut(seen, announced, `its first line announces ${countText(announced)}`);
    else if (!this.#intact || this.#told) return;
    else if (this.proven < seen) {
      const range = { from: this.proven, to: seen - 1 };
      const message = `No signed checkpoint covers ${entriesText(range.from, range.to)}: anyone may have added that.`;
      this.#problems.add({ kind: "unsigned", message, ...range });
    } else if (!this.#signed)
      this.#problems.add({ kind: "unsigned", message: "Nothing in the export is signed with this key." });
    else if (announced < seen) {
      const message = `The export has ${countText(seen)}, its first line announces ${announced}.`;
      this.#problems.add({ kind: "inserted", message });
    }
  }

  /** A checkpoint stands after more entries than it covers. */
  #late(size: number, seen: number, line: number): void {
    if (size > this.proven) {
      this.#tell("inserted", this.proven, seen - 1, `only ${size - this.proven} of them were signed`);
      return;
    }
    const message = `Line ${line}: the checkpoint over ${countText(size)} does not belong after entry ${seen - 1}.`;
    this.#problems.add({ kind: "reordered", message, line });
  }

  #open(note: string, line: number): Checkpoint | null {
    try {
      return openOwnCheckpoint(note, this.#key);
    } catch (error) {
      if (!(error instanceof LedgerError)) throw error;
      const message = `Line ${line}: the checkpoint is not one of this ledger and key. ${error.message}`;
      this.#problems.add({ kind: "forged_signature", message, line });
      return null;
    }
  }

  #compareKept(): void {
    if (this.#kept.nextSize !== this.#tree.size) return;
    const agreed = this.#kept.compare(this.#tree.root());
    if (agreed === null) return;
    const range = { from: agreed, to: this.#tree.size - 1 };
    const message = `The first ${countText(this.#tree.size)} are not those of the checkpoint you kept: among ${entriesText(range.from, range.to)} something was rewritten since.`;
    this.#problems.add({ kind: "rewritten", message, ...range });
  }

  /** Fewer entries than `size`: those at the end are not there, or, if not all before are proven, perhaps others. */
  #cut(seen: number, size: number, why: string): void {
    const range = { from: this.proven, to: size - 1 };
    const lost = entriesText(range.from, range.to);
    const are = size - seen === 1 ? "is" : "are";
    const what =
      this.proven === seen
        ? `The end is cut off: ${lost} of the ledger ${are} not there`
        : `${countText(size - seen)} ${are} not there, at the end or elsewhere among ${lost}`;
    const message = `${what}. The export ends after ${countText(seen)}, but ${why}.`;
    this.#problems.add({ kind: "tail_cut", message, ...range });
  }

  /** Tells once, until a root is right again, that entries are not what was signed. */
  #tell(kind: ProblemKind, from: number, to: number, how: string): void {
    if (this.#told || !this.#intact) return;
    this.#told = true;
    const single = from === to;
    const message = single
      ? `Entry ${from} is not the one that was signed: ${how.replace("at least one of them", "it")}.`
      : `Entries ${from} to ${to} are not those that were signed: ${how}.`;
    this.#problems.add({ kind, message, from, to, ...(single ? { index: from } : {}) });
  }
}
