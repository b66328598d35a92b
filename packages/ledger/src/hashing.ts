import { hash } from "node:crypto";
import { LedgerError } from "./errors.ts";
import type { Hash } from "./types.ts";

/** Bytes of a hash. */
export const HASH_BYTES = 32;

const LEAF_PREFIX = "\u0000";
const NODE_PREFIX = 1;
const pair = Buffer.alloc(1 + 2 * HASH_BYTES, NODE_PREFIX);

/** SHA-256. Through a string, because Node makes a small pooled buffer of it faster than a buffer of its own. */
export const sha256 = (data: string | Uint8Array): Hash =>
  Buffer.from(hash("sha256", data, "binary"), "binary");

/** The hash of a leaf, SHA-256(0x00 || data); a text stands for its UTF-8 bytes. RFC 9162, 2.1.1. */
export function leafHash(data: string | Uint8Array): Hash {
  if (typeof data === "string") return sha256(LEAF_PREFIX + data);
  return sha256(Buffer.concat([Buffer.from([0]), data]));
}

/** The hash of an inner node, SHA-256(0x01 || left || right). RFC 9162, 2.1.1. */
export function nodeHash(left: Hash, right: Hash): Hash {
  pair.set(left, 1);
  pair.set(right, 1 + HASH_BYTES);
  return sha256(pair);
}

/** The root of a tree without leaves, SHA-256 of nothing. */
export const emptyRoot = (): Hash => sha256("");

/**
 * The root over neighbouring perfect subtrees, the larger on the left: those of a whole tree, or of its right edge.
 * Throws `tree_malformed` when there are none.
 */
export function foldRight(hashes: readonly Hash[]): Hash {
  let root = hashes.at(-1);
  if (root === undefined) throw new LedgerError("tree_malformed", "There is no hash to make a root of.");
  for (let at = hashes.length - 2; at >= 0; at--) root = nodeHash(hashes[at]!, root);
  return root;
}

const BLOCK_BYTES = 64;
const inner = Buffer.alloc(BLOCK_BYTES);
const outer = Buffer.alloc(BLOCK_BYTES + HASH_BYTES);

/**
 * HMAC-SHA-256 (RFC 2104) of a text with a key of at most 64 bytes. Made of two plain hashes, because Node takes ten
 * times as long to set up its own.
 */
export function hmacSha256(key: Uint8Array, text: string): Hash {
  for (let at = 0; at < BLOCK_BYTES; at++) {
    const byte = key[at] ?? 0;
    inner[at] = byte ^ 0x36;
    outer[at] = byte ^ 0x5c;
  }
  outer.set(sha256(Buffer.concat([inner, Buffer.from(text)])), BLOCK_BYTES);
  return sha256(outer);
}
