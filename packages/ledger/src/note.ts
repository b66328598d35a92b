import type { KeyObject } from "node:crypto";
import { createPublicKey, sign, verify } from "node:crypto";
import { LedgerError } from "./errors.ts";
import { isKeyName, KEY_BYTES, keyIdOf, type VerifierKey } from "./keys.ts";
import { limits } from "./limits.ts";

/*
 * Signed notes, https://c2sp.org/signed-note: a text that ends with a newline, an empty line, and signature lines.
 */

interface Signature {
  readonly name: string;
  readonly keyId: Buffer;
  readonly bytes: Buffer;
}

const ID_BYTES = 4;
const LINE = /^\u2014 (\S+) ([A-Za-z0-9+/]+={0,2})$/;

/** Signs a text. Throws `checkpoint_malformed` for a text that can't be a note's, `key_malformed` for a bad name. */
export function signNote(text: string, name: string, privateKey: KeyObject): string {
  if (!text.endsWith("\n") || hasControls(text) || !text.isWellFormed())
    throw malformed("The text of a note ends with a newline and has no other control characters.");
  if (!isKeyName(name)) throw new LedgerError("key_malformed", `${JSON.stringify(name)} can't name a key.`);
  const id = keyIdOf(name, publicKeyOf(privateKey));
  const signature = Buffer.concat([id, sign(null, Buffer.from(text), privateKey)]);
  return `${text}\n\u2014 ${name} ${signature.toString("base64")}\n`;
}

/**
 * The text of a note, once the key's signature has been found to be good; signatures of others are not looked at.
 * Throws `checkpoint_malformed`, `unknown_key` when this key has not signed, `bad_signature`.
 */
export function openNote(note: string, key: VerifierKey): string {
  const { text, signatures } = readNote(note);
  const mine = signatures.find(({ name, keyId }) => name === key.name && keyId.equals(key.keyId));
  if (mine === undefined)
    throw new LedgerError("unknown_key", `${key.name} has not signed this with the key that was given.`);
  if (!verify(null, Buffer.from(text), key.keyObject, mine.bytes))
    throw new LedgerError("bad_signature", `The signature of ${key.name} is not of this text.`);
  return text;
}

function readNote(note: string): { text: string; signatures: Signature[] } {
  if (note.length > limits.noteChars)
    throw malformed(`A note has at most ${limits.noteChars} characters, not ${note.length}.`);
  if (hasControls(note) || !note.isWellFormed())
    throw malformed("A note is text without control characters.");
  const end = note.lastIndexOf("\n\n");
  if (end < 0 || !note.endsWith("\n")) throw malformed("A note is a text, an empty line and signatures.");
  const lines = note.slice(end + 2, -1).split("\n");
  if (lines.length > limits.noteSignatures)
    throw malformed(`A note has at most ${limits.noteSignatures} signatures, not ${lines.length}.`);
  return { text: note.slice(0, end + 1), signatures: lines.map(readSignature) };
}

function readSignature(line: string): Signature {
  const [, name = "", base64 = ""] = LINE.exec(line) ?? [];
  const bytes = Buffer.from(base64, "base64");
  if (!isKeyName(name) || bytes.length <= ID_BYTES || bytes.toString("base64") !== base64)
    throw malformed("A signature line is \u2014, the key's name and base64.");
  return { name, keyId: bytes.subarray(0, ID_BYTES), bytes: bytes.subarray(ID_BYTES) };
}

function publicKeyOf(privateKey: KeyObject): Buffer {
  const { x } = createPublicKey(privateKey).export({ format: "jwk" });
  const bytes = Buffer.from(x ?? "", "base64url");
  if (privateKey.asymmetricKeyType !== "ed25519" || bytes.length !== KEY_BYTES)
    throw new LedgerError("key_malformed", "Notes are signed with an Ed25519 key.");
  return bytes;
}

const malformed = (message: string) => new LedgerError("checkpoint_malformed", message);
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const hasControls = (text: string) => /[\u0000-\u0009\u000b-\u001f]/.test(text);
