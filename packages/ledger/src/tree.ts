import { LedgerError } from "./errors.ts";
import { emptyRoot, foldRight } from "./hashing.ts";
import type { Hash } from "./types.ts";

/** A perfect subtree: the one over leaves `index * 2^level` to `(index + 1) * 2^level - 1`. */
export interface Subtree {
  readonly level: number;
  readonly index: number;
}

/** Where the hash of a perfect subtree comes from. */
export type NodeReader = (level: number, index: number) => Hash | Promise<Hash>;

/**
 * The hashes of a proof, in order: each is the root over neighbouring perfect subtrees, the larger on the left; more
 * than one only at the right edge of the tree.
 */
export type ProofPlan = readonly (readonly Subtree[])[];

/** The perfect subtrees that make up leaves `from` to `to - 1`, from left to right, where the range is a tree of RFC 9162. */
export function subtreesOf(from: number, to: number): Subtree[] {
  const subtrees: Subtree[] = [];
  for (let at = from; at < to; ) {
    let level = 0;
    let width = 1;
    while (width * 2 <= to - at) {
      width *= 2;
      level += 1;
    }
    subtrees.push({ level, index: at / width });
    at += width;
  }
  return subtrees;
}

/** What proves that leaf `index` is in the tree of `size` leaves. RFC 9162, 2.1.3.1. */
export function inclusionPlan(index: number, size: number): ProofPlan {
  if (!isCount(index) || !isCount(size) || index >= size)
    throw new LedgerError("tree_malformed", `A tree of ${size} entries has no entry ${index}.`);
  const plan: Subtree[][] = [];
  let [from, to] = [0, size];
  while (to - from > 1) {
    const middle = from + splitOf(to - from);
    if (index < middle) {
      plan.push(subtreesOf(middle, to));
      to = middle;
    } else {
      plan.push(subtreesOf(from, middle));
      from = middle;
    }
  }
  return plan.reverse();
}

/**
 * What proves that the tree of `from` leaves is the beginning of the tree of `to` leaves. RFC 9162, 2.1.4.1. The empty
 * tree is the beginning of every tree; its proof is empty.
 */
export function consistencyPlan(from: number, to: number): ProofPlan {
  if (!isCount(from) || !isCount(to) || from > to)
    throw new LedgerError("tree_malformed", `A tree of ${from} entries can't have grown to ${to}.`);
  if (from === 0) return [];
  const plan: Subtree[][] = [];
  let [low, high] = [0, to];
  while (high > from) {
    const middle = low + splitOf(high - low);
    if (from <= middle) {
      plan.push(subtreesOf(middle, high));
      high = middle;
    } else {
      plan.push(subtreesOf(low, middle));
      low = middle;
    }
  }
  // The old tree's own root needs no telling as long as it is a subtree by itself.
  if (low > 0) plan.push(subtreesOf(low, high));
  return plan.reverse();
}

/** The hashes a plan asks for, in its order. */
export async function carryOut(plan: ProofPlan, nodeAt: NodeReader): Promise<Hash[]> {
  const parts = plan.map((subtrees) =>
    Promise.all(subtrees.map(async ({ level, index }) => nodeAt(level, index))),
  );
  return (await Promise.all(parts)).map(foldRight);
}

/** The root of the tree of the first `size` leaves. */
export async function rootOf(size: number, nodeAt: NodeReader): Promise<Hash> {
  if (size === 0) return emptyRoot();
  const [root] = await carryOut([subtreesOf(0, size)], nodeAt);
  return root!;
}

/** The inclusion proof of leaf `index` in the tree of `size` leaves. Rejects with `tree_malformed` when there is no such leaf. */
export async function inclusionProof(index: number, size: number, nodeAt: NodeReader): Promise<Hash[]> {
  return carryOut(inclusionPlan(index, size), nodeAt);
}

/** The consistency proof from the tree of `from` leaves to that of `to`. Rejects with `tree_malformed` when `from > to`. */
export async function consistencyProof(from: number, to: number, nodeAt: NodeReader): Promise<Hash[]> {
  return carryOut(consistencyPlan(from, to), nodeAt);
}

/** The largest power of two smaller than `size`, which is at least 2. */
function splitOf(size: number): number {
  let split = 1;
  while (split * 2 < size) split *= 2;
  return split;
}

const isCount = (value: number) => Number.isSafeInteger(value) && value >= 0;
