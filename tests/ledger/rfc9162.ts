import { createHash, createPublicKey, verify } from "node:crypto";

/*
 * What an outsider would write to check the ledger, from the RFC's definitions and the C2SP pages, sharing nothing with
 * the code under test.
 */

const sha256 = (...parts: Uint8Array[]): Buffer => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest();
};
const node = (left: Buffer, right: Buffer) => sha256(Buffer.from([1]), left, right);
/** The largest power of two below n. */
const splitOf = (n: number): number => {
  let k = 1;
  while (k * 2 < n) k *= 2;
  return k;
};

/** HASH of a leaf. */
export const leafHash = (entry: string): Buffer => sha256(Buffer.from([0]), Buffer.from(entry));

/** MTH(D_n) over the leaves' hashes. */
export function rootOf(leaves: readonly Buffer[]): Buffer {
  if (leaves.length === 0) return sha256();
  if (leaves.length === 1) return leaves[0]!;
  const k = splitOf(leaves.length);
  return node(rootOf(leaves.slice(0, k)), rootOf(leaves.slice(k)));
}

/** The root that PATH(m, D_n) leads to from leaf m; throws when the path has another length than it must. */
export function rootByPath(m: number, n: number, leaf: Buffer, path: readonly Buffer[]): Buffer {
  if (n === 1) {
    if (path.length > 0) throw new Error("the path is too long");
    return leaf;
  }
  const last = path.at(-1);
  if (last === undefined) throw new Error("the path is too short");
  const k = splitOf(n);
  const rest = path.slice(0, -1);
  return m < k ? node(rootByPath(m, k, leaf, rest), last) : node(last, rootByPath(m - k, n - k, leaf, rest));
}

/** The roots over m and over n leaves that PROOF(m, D_n) leads to, where `old` is what is known of the first. */
export function rootsByProof(m: number, n: number, old: Buffer, proof: readonly Buffer[]): [Buffer, Buffer] {
  return subproof(m, n, old, proof, true);
}

function subproof(
  ...[m, n, old, proof, whole]: [number, number, Buffer, readonly Buffer[], boolean]
): [Buffer, Buffer] {
  if (m === n) {
    if (proof.length !== (whole ? 0 : 1)) throw new Error("the proof has another length");
    const root = whole ? old : proof[0]!;
    return [root, root];
  }
  const last = proof.at(-1);
  if (last === undefined) throw new Error("the proof is too short");
  const k = splitOf(n);
  const rest = proof.slice(0, -1);
  if (m <= k) {
    const [older, newer] = subproof(m, k, old, rest, whole);
    return [older, node(newer, last)];
  }
  const [older, newer] = subproof(m - k, n - k, old, rest, false);
  return [node(last, older), node(last, newer)];
}

/** What a checkpoint says, once its one signature has been found to be the key's (`<name>+<id>+<base64>`). */
export function readCheckpoint(note: string, publicKey: string): { size: number; root: Buffer } {
  const [name, , ...rest] = publicKey.split("+");
  const key = Buffer.from(rest.join("+"), "base64").subarray(1);
  const at = note.indexOf("\n\n");
  const [text, line] = [note.slice(0, at + 1), note.slice(at + 2).trimEnd()];
  const [dash, signer, base64] = line.split(" ");
  if (dash !== "—" || signer !== name) throw new Error(`signed by ${signer}`);
  const jwk = { kty: "OKP", crv: "Ed25519", x: key.toString("base64url") };
  const signature = Buffer.from(base64!, "base64").subarray(4);
  if (!verify(null, Buffer.from(text), createPublicKey({ key: jwk, format: "jwk" }), signature))
    throw new Error("the signature is not of this text");
  const [origin, size, root] = text.split("\n");
  if (origin !== name) throw new Error(`of the ledger ${origin}`);
  return { size: Number(size), root: Buffer.from(root!, "base64") };
}
