import { EntryCheck } from "./entry-check.ts";
import { LedgerError } from "./errors.ts";
import { type EntryLine, type ForeignLine, readHeader, readLine } from "./export.ts";
import { leafHash } from "./hashing.ts";
import { parseVerifierKey } from "./keys.ts";
import { capital, entriesText, Problems, type Report } from "./report.ts";
import { RootCheck } from "./root-check.ts";
import { type Place, Sequence } from "./sequence.ts";
import type { Hash } from "./types.ts";

export interface VerifyOptions {
  /** Checkpoints of this ledger that the verifier kept from earlier, as signed notes. */
  readonly checkpoints?: readonly string[];
}

/**
 * Checks an export against the ledger's public key (`<name>+<id>+<key>`) and nothing else, in one pass. Each item is a
 * line or several (`linesOf`). Whatever is wrong with the export ends in the report; what the caller gives wrongly
 * throws LedgerError: a bad key, a kept checkpoint that this key has not signed.
 */
export async function verifyExport(
  lines: AsyncIterable<string | readonly string[]> | Iterable<string | readonly string[]>,
  vkey: string,
  options: VerifyOptions = {},
): Promise<Report> {
  const verifier = new Verifier(vkey, options);
  for await (const item of lines) {
    if (typeof item === "string") verifier.add(item);
    else for (const line of item) verifier.add(line);
  }
  return verifier.finish();
}

/**
 * Verifies an export line by line. Its memory does not grow with the ledger: it holds the right edge of the tree, the
 * latest ids and what is known to be wrong, all of them bounded.
 */
class Verifier {
  readonly #problems = new Problems();
  readonly #sequence = new Sequence();
  readonly #entries: EntryCheck;
  readonly #roots: RootCheck;
  #line = 0;
  #isExport = false;
  #announced = 0;
  #told = 0;
  #foreign = 0;

  constructor(vkey: string, { checkpoints = [] }: VerifyOptions) {
    this.#entries = new EntryCheck(this.#problems);
    this.#roots = new RootCheck(parseVerifierKey(vkey), checkpoints, this.#problems);
  }

  add(text: string): void {
    this.#line += 1;
    try {
      if (this.#line === 1) this.#begin(text);
      else if (this.#isExport) this.#take(text);
    } catch (error) {
      if (!(error instanceof LedgerError)) throw error;
      const kind = this.#isExport ? "unreadable_line" : "not_an_export";
      this.#problems.add({ kind, message: `Line ${this.#line}: ${error.message}`, line: this.#line });
    }
  }

  finish(): Report {
    const seen = this.#sequence.expected;
    if (this.#line === 0) this.#problems.add({ kind: "not_an_export", message: "There is nothing in it." });
    for (const [from, to] of this.#sequence.gaps) {
      const message = `${capital(entriesText(from, to))} ${from === to ? "is" : "are"} missing.`;
      this.#problems.add({ kind: "missing", message, from, to, ...(from === to ? { index: from } : {}) });
    }
    if (this.#isExport) this.#roots.finish(seen, this.#announced);
    const { list: problems, omitted } = this.#problems;
    return {
      ok: problems.length === 0,
      size: seen,
      entries: this.#told,
      foreign: this.#foreign,
      proven: this.#roots.proven,
      checkpoints: this.#roots.checkpoints,
      openings: { checked: this.#entries.checked, erased: this.#entries.erased },
      problems,
      omitted,
    };
  }

  #begin(text: string): void {
    this.#announced = readHeader(text).size;
    this.#isExport = true;
  }

  #take(text: string): void {
    const line = readLine(text);
    if ("checkpoint" in line) this.#roots.addCheckpoint(line.checkpoint, this.#sequence.expected, this.#line);
    else this.#takeLeaf(line, this.#place(line.index));
  }

  /** Where the entry stands; what is out of place is told, and ends the growth of the tree unless it only comes again. */
  #place(index: number): Place {
    const last = this.#sequence.expected - 1;
    const place = this.#sequence.take(index);
    if (place === "ahead") this.#roots.breakOff();
    if (place === "late" || place === "again") {
      const kind = place === "late" ? "reordered" : "duplicate_index";
      const how = place === "late" ? "has changed places: it stands" : "comes a second time: it stands again";
      const message = `Entry ${index} ${how} after entry ${last}.`;
      this.#problems.add({ kind, message, index, line: this.#line });
    }
    return place;
  }

  #takeLeaf(leaf: EntryLine | ForeignLine, place: Place): void {
    if (place === "again") return;
    this.#roots.goOn();
    const hash = this.#hashOf(leaf);
    if (place === "next") this.#roots.append(hash);
  }

  /** The entry's hash in the tree, as the export has it: where the text has another, that is told, and the rest goes on. */
  #hashOf(leaf: EntryLine | ForeignLine): Hash {
    if (!("entry" in leaf)) {
      this.#foreign += 1;
      return leaf.leaf;
    }
    this.#told += 1;
    const { index } = leaf;
    const isEntry = this.#entries.check(leaf);
    const hash = leafHash(leaf.entry);
    if (leaf.leaf === undefined || leaf.leaf.equals(hash)) return hash;
    if (isEntry) {
      const message = `Entry ${index} was altered: its text is not the one whose hash is in the tree.`;
      this.#problems.add({ kind: "changed", message, index });
    }
    return leaf.leaf;
  }
}
