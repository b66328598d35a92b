import type { KeyObject } from "node:crypto";
import { LedgerError } from "./errors.ts";
import { HASH_BYTES } from "./hashing.ts";
import { parseVerifierKey, type VerifierKey } from "./keys.ts";
import { openNote, signNote } from "./note.ts";
import type { Checkpoint } from "./types.ts";

/** The text a log signs: origin, size and root, a line each. https://c2sp.org/tlog-checkpoint. Throws `checkpoint_malformed`. */
export function checkpointText({ origin, size, root }: Checkpoint): string {
  if (origin === "" || /[\n\r]/.test(origin)) throw malformed("An origin is one line that is not empty.");
  if (!Number.isSafeInteger(size) || size < 0) throw malformed(`${size} is no size of a tree.`);
  if (root.length !== HASH_BYTES) throw malformed(`A root has ${HASH_BYTES} bytes, not ${root.length}.`);
  return `${origin}\n${size}\n${root.toString("base64")}\n`;
}

/** A checkpoint as a signed note. Throws `checkpoint_malformed` or `key_malformed`. */
export const signCheckpoint = (checkpoint: Checkpoint, name: string, privateKey: KeyObject): string =>
  signNote(checkpointText(checkpoint), name, privateKey);

/**
 * What a checkpoint says, once its signature has been checked against the verifier key (`<name>+<id>+<key>`, or what
 * `parseVerifierKey` made of it). Lines beyond the third and the signatures of others are passed over. Throws
 * `key_malformed`, `checkpoint_malformed`, `unknown_key` (not signed with this key) or `bad_signature`.
 */
export function openCheckpoint(note: string, vkey: string | VerifierKey): Checkpoint {
  const key = typeof vkey === "string" ? parseVerifierKey(vkey) : vkey;
  const [origin, size, root, ...more] = openNote(note, key).slice(0, -1).split("\n");
  const hash = Buffer.from(root ?? "", "base64");
  if (!origin) throw malformed("A checkpoint begins with its origin.");
  if (!/^(0|[1-9]\d*)$/.test(size ?? "") || !Number.isSafeInteger(Number(size)))
    throw malformed("A checkpoint's second line is the number of entries.");
  if (hash.length !== HASH_BYTES || hash.toString("base64") !== root)
    throw malformed("A checkpoint's third line is the base64 of the root.");
  if (more.includes("")) throw malformed("A checkpoint has no empty lines.");
  return { origin, size: Number(size), root: hash };
}

const malformed = (message: string) => new LedgerError("checkpoint_malformed", message);
