import { type ReadText, readText } from "./canonical.ts";
import { opens } from "./commitment.ts";
import { flawOfEntry } from "./entry.ts";
import type { EntryLine } from "./export.ts";
import { type Problems, quoted } from "./report.ts";
import { RecentIds } from "./sequence.ts";
import type { LedgerEntry } from "./types.ts";

/** Checks what can be said about entries one by one. */
export class EntryCheck {
  readonly #problems: Problems;
  readonly #ids = new RecentIds();
  /** Sealed values that were there and fit. */
  checked = 0;
  /** Sealed values that were not there. */
  erased = 0;

  constructor(problems: Problems) {
    this.#problems = problems;
  }

  /** Returns whether the text is one a ledger would have written. */
  check({ index, entry: text, openings = {} }: EntryLine): boolean {
    const entry = this.#read(text);
    if (typeof entry === "string") {
      this.#problems.add({ kind: "entry_malformed", message: `Entry ${index} was altered: ${entry}`, index });
      return false;
    }
    if (this.#ids.take(entry.id)) {
      const message = `Entry ${index} has the id ${entry.id}, which an entry before it has already.`;
      this.#problems.add({ kind: "duplicate_id", message, index });
    }
    this.#checkSealed(index, entry.sealed, openings);
    return true;
  }

  /** The entry, or what is wrong with its text. */
  #read(text: string): LedgerEntry | string {
    let read: ReadText;
    try {
      read = readText(text);
    } catch {
      return "its text is not JSON.";
    }
    if (!read.canonical) return "its text is not canonical JSON (RFC 8785).";
    return flawOfEntry(read.value) ?? (read.value as unknown as LedgerEntry);
  }

  #checkSealed(
    index: number,
    sealed: LedgerEntry["sealed"],
    openings: NonNullable<EntryLine["openings"]>,
  ): void {
    for (const [name, commitment] of Object.entries(sealed)) {
      const opening = Object.hasOwn(openings, name) ? openings[name] : undefined;
      if (opening === undefined) this.erased += 1;
      else if (opens(commitment, name, opening)) this.checked += 1;
      else this.#mismatch(index, name, "is not what the entry commits to");
    }
    for (const name of Object.keys(openings))
      if (!Object.hasOwn(sealed, name)) this.#mismatch(index, name, "is nothing the entry has sealed");
  }

  #mismatch(index: number, name: string, how: string): void {
    const message = `Entry ${index} was altered: the value told as ${quoted(name)} ${how}.`;
    this.#problems.add({ kind: "opening_mismatch", message, index });
  }
}
