import { createHash } from "node:crypto";
import type { Hash } from "../types.ts";

/*
 * The tree of RFC 9162 word for word: recursion over lists of leaves, nothing shared with the library.
 */

const sha256 = (...parts: Uint8Array[]) => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest();
};

export const leaf = (data: Uint8Array): Hash => sha256(Buffer.from([0]), data);

const splitOf = (size: number) => 2 ** Math.ceil(Math.log2(size) - 1);

/** MTH(D_n) over hashes of leaves. */
export function root(leaves: readonly Hash[]): Hash {
  if (leaves.length === 0) return sha256();
  if (leaves.length === 1) return leaves[0]!;
  const split = splitOf(leaves.length);
  return sha256(Buffer.from([1]), root(leaves.slice(0, split)), root(leaves.slice(split)));
}

/** PATH(m, D_n). */
export function path(index: number, leaves: readonly Hash[]): Hash[] {
  if (leaves.length === 1) return [];
  const split = splitOf(leaves.length);
  const [left, right] = [leaves.slice(0, split), leaves.slice(split)];
  return index < split ? [...path(index, left), root(right)] : [...path(index - split, right), root(left)];
}

/** SUBPROOF(m, D_n, whole). */
export function subproof(size: number, leaves: readonly Hash[], whole = true): Hash[] {
  if (size === leaves.length) return whole ? [] : [root(leaves)];
  const split = splitOf(leaves.length);
  const [left, right] = [leaves.slice(0, split), leaves.slice(split)];
  return size <= split
    ? [...subproof(size, left, whole), root(right)]
    : [...subproof(size - split, right, false), root(left)];
}
