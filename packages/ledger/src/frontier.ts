import { LedgerError } from "./errors.ts";
import { emptyRoot, foldRight, HASH_BYTES, nodeHash } from "./hashing.ts";
import type { Hash } from "./types.ts";

/** Told about each perfect subtree that an append completes: its level (leaves are 0), its index there, its hash. */
export type SubtreeCompleted = (level: number, index: number, hash: Hash) => void;

const SIZE_BYTES = 8;

/**
 * The right edge of a growing tree: the hashes of its perfect subtrees, at most one per level. It is all that is needed
 * to append and to tell the root.
 */
export class Frontier {
  #size = 0;
  #hashes: Hash[] = [];

  /** Number of leaves. */
  get size(): number {
    return this.#size;
  }

  /** The hashes of the perfect subtrees, the largest first. */
  get hashes(): readonly Hash[] {
    return this.#hashes;
  }

  /** Appends the hash of one leaf. O(1) on average. */
  append(leaf: Hash, completed?: SubtreeCompleted): void {
    let hash = leaf;
    let level = 0;
    for (let rest = this.#size; rest % 2 === 1; ) {
      rest = (rest - 1) / 2;
      hash = nodeHash(this.#hashes.pop()!, hash);
      level += 1;
      completed?.(level, rest, hash);
    }
    this.#hashes.push(hash);
    this.#size += 1;
  }

  /** The root over all leaves so far. */
  root(): Hash {
    return this.#size === 0 ? emptyRoot() : foldRight(this.#hashes);
  }

  /** Size and hashes as bytes, for `Frontier.from`. */
  toBytes(): Buffer {
    const size = Buffer.alloc(SIZE_BYTES);
    size.writeBigUInt64BE(BigInt(this.#size));
    return Buffer.concat([size, ...this.#hashes]);
  }

  /** The frontier that `toBytes` wrote. Throws `tree_malformed` for bytes that are none. */
  static fromBytes(bytes: Uint8Array): Frontier {
    const buffer = Buffer.from(bytes);
    if (buffer.length < SIZE_BYTES) throw new LedgerError("tree_malformed", "A frontier begins with a size.");
    const hashes: Hash[] = [];
    for (let at = SIZE_BYTES; at < buffer.length; at += HASH_BYTES)
      hashes.push(buffer.subarray(at, at + HASH_BYTES));
    return Frontier.of(Number(buffer.readBigUInt64BE()), hashes);
  }

  /** The frontier of a tree with `size` leaves, from the hashes of its perfect subtrees, the largest first (`subtreesOf(0, size)`). */
  static of(size: number, hashes: readonly Hash[]): Frontier {
    if (!Number.isSafeInteger(size) || size < 0 || hashes.length !== ones(size))
      throw new LedgerError("tree_malformed", `${hashes.length} hashes make no frontier of ${size} leaves.`);
    if (hashes.some((hash) => hash.length !== HASH_BYTES))
      throw new LedgerError("tree_malformed", `A hash has ${HASH_BYTES} bytes.`);
    const frontier = new Frontier();
    frontier.#size = size;
    frontier.#hashes = [...hashes];
    return frontier;
  }
}

/** How many perfect subtrees `size` leaves make: the ones of its binary form. */
function ones(size: number): number {
  let count = 0;
  for (let rest = size; rest > 0; rest = Math.floor(rest / 2)) count += rest % 2;
  return count;
}
