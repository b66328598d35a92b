import { emptyRoot, HASH_BYTES, nodeHash } from "./hashing.ts";
import type { Hash } from "./types.ts";

/**
 * Whether `proof` shows that `leaf` is the hash of leaf `index` in the tree of `size` leaves with this root. RFC 9162,
 * 2.1.3.2. False for anything that makes no sense.
 */
export function verifyInclusion(claim: {
  readonly index: number;
  readonly size: number;
  readonly leaf: Hash;
  readonly root: Hash;
  readonly proof: readonly Hash[];
}): boolean {
  if (!isCount(claim.index) || !isCount(claim.size) || claim.index >= claim.size) return false;
  if (![claim.leaf, ...claim.proof].every(isHash)) return false;
  let [index, last, hash] = [claim.index, claim.size - 1, claim.leaf];
  for (const sibling of claim.proof) {
    if (last === 0) return false;
    if (isOdd(index) || index === last) {
      hash = nodeHash(sibling, hash);
      while (!isOdd(index) && index !== 0) [index, last] = [half(index), half(last)];
    } else hash = nodeHash(hash, sibling);
    [index, last] = [half(index), half(last)];
  }
  return last === 0 && hash.equals(claim.root);
}

/**
 * Whether `proof` shows that the tree of `from` leaves with `fromRoot` is the beginning of the tree of `to` leaves with
 * `toRoot`. RFC 9162, 2.1.4.2; the proof from the empty tree, or from a tree to itself, is empty. False for anything
 * that makes no sense.
 */
export function verifyConsistency(claim: {
  readonly from: number;
  readonly to: number;
  readonly fromRoot: Hash;
  readonly toRoot: Hash;
  readonly proof: readonly Hash[];
}): boolean {
  const { from, to, fromRoot, toRoot, proof } = claim;
  if (!isCount(from) || !isCount(to) || from > to || !proof.every(isHash)) return false;
  if (from === to) return proof.length === 0 && fromRoot.equals(toRoot);
  if (from === 0) return proof.length === 0 && fromRoot.equals(emptyRoot());
  const path = isPowerOfTwo(from) ? [fromRoot, ...proof] : proof;
  if (path.length === 0) return false;
  let [index, last] = [from - 1, to - 1];
  while (isOdd(index)) [index, last] = [half(index), half(last)];
  let [older, newer] = [path[0]!, path[0]!];
  for (const sibling of path.slice(1)) {
    if (last === 0) return false;
    if (isOdd(index) || index === last) {
      older = nodeHash(sibling, older);
      newer = nodeHash(sibling, newer);
      while (!isOdd(index) && index !== 0) [index, last] = [half(index), half(last)];
    } else newer = nodeHash(newer, sibling);
    [index, last] = [half(index), half(last)];
  }
  return last === 0 && older.equals(fromRoot) && newer.equals(toRoot);
}

// Sizes may exceed 32 bits, which is where JavaScript's own bit operations end.
const isOdd = (value: number) => value % 2 === 1;
const half = (value: number) => Math.floor(value / 2);
const isCount = (value: number) => Number.isSafeInteger(value) && value >= 0;
const isHash = (value: Hash) => value.length === HASH_BYTES;

function isPowerOfTwo(value: number): boolean {
  let rest = value;
  while (!isOdd(rest)) rest = half(rest);
  return rest === 1;
}
