import { openCheckpoint } from "./checkpoint.ts";
import { LedgerError } from "./errors.ts";
import type { VerifierKey } from "./keys.ts";
import { quoted } from "./report.ts";
import type { Checkpoint, Hash } from "./types.ts";

/**
 * Opens a checkpoint of the ledger that the key belongs to: one whose origin is the key's name. Throws as
 * `openCheckpoint` does, `unknown_key` also for a checkpoint of another ledger.
 */
export function openOwnCheckpoint(note: string, key: VerifierKey): Checkpoint {
  const checkpoint = openCheckpoint(note, key);
  const { name } = key;
  if (checkpoint.origin !== name)
    throw new LedgerError(
      "unknown_key",
      `It is of the ledger ${quoted(checkpoint.origin)}, the key is of ${quoted(name)}.`,
    );
  return checkpoint;
}

/** The checkpoints a verifier kept from earlier, compared one after the other as the tree grows. */
export class KeptCheckpoints {
  readonly #checkpoints: readonly Checkpoint[];
  #next = 0;
  #agreed = 0;

  /** Throws as `openOwnCheckpoint` does: what the verifier kept is taken for good only with its signature. */
  constructor(notes: readonly string[], key: VerifierKey) {
    this.#checkpoints = notes
      .map((note) => openOwnCheckpoint(note, key))
      .sort((one, other) => one.size - other.size);
  }

  /** Size of the next one to compare; Infinity when there is none. */
  get nextSize(): number {
    return this.#checkpoints[this.#next]?.size ?? Number.POSITIVE_INFINITY;
  }

  /** Size of the largest one; 0 when there is none. */
  get largestSize(): number {
    return this.#checkpoints.at(-1)?.size ?? 0;
  }

  /**
   * Compares those of the next size with the root at that size. Returns the number of leading entries that an earlier
   * one still vouches for when they differ, null when they agree.
   */
  compare(root: Hash): number | null {
    const size = this.nextSize;
    let agrees = true;
    for (; this.nextSize === size; this.#next++)
      agrees = root.equals(this.#checkpoints[this.#next]!.root) && agrees;
    if (!agrees) return this.#agreed;
    this.#agreed = size;
    return null;
  }
}
