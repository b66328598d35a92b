import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import { LedgerError } from "./errors.ts";
import { sha256 } from "./hashing.ts";

/** A log's own key. */
export interface SigningKey {
  readonly privateKey: KeyObject;
  /** 32 bytes. */
  readonly publicKey: Buffer;
}

/** A public key with the name of the log that signs with it. */
export interface VerifierKey {
  readonly name: string;
  /** 4 bytes that tell keys of the same name apart. */
  readonly keyId: Buffer;
  /** 32 bytes. */
  readonly publicKey: Buffer;
  /** The same for Node, which takes a while to make one. */
  readonly keyObject: KeyObject;
}

/** Bytes of an Ed25519 public key, and of the seed of a private one. */
export const KEY_BYTES = 32;
/** What `c2sp.org/signed-note` calls the Ed25519 signature type. */
const ED25519 = 1;
const PKCS8_HEAD = Buffer.from("302e020100300506032b657004220420", "hex");
const KEY_ID_BYTES = 4;

/** The Ed25519 key of a seed of 32 bytes. The same seed gives the same key. Throws `key_malformed`. */
export function keyPairFromSeed(seed: Uint8Array): SigningKey {
  if (seed.length !== KEY_BYTES)
    throw new LedgerError("key_malformed", `A seed has ${KEY_BYTES} bytes, not ${seed.length}.`);
  const key = Buffer.concat([PKCS8_HEAD, seed]);
  const privateKey = createPrivateKey({ key, format: "der", type: "pkcs8" });
  const { x } = createPublicKey(privateKey).export({ format: "jwk" });
  return { privateKey, publicKey: Buffer.from(x!, "base64url") };
}

/** The first four bytes of SHA-256(name || 0x0A || 0x01 || public key). */
export function keyIdOf(name: string, publicKey: Uint8Array): Buffer {
  const known = Buffer.concat([Buffer.from(`${name}\n`), Buffer.from([ED25519]), publicKey]);
  return sha256(known).subarray(0, KEY_ID_BYTES);
}

/**
 * The text that tells a public key to those who verify: `<name>+<key id, hex>+<base64 of 0x01 || public key>`. Throws
 * `key_malformed` for a name with spaces or a plus, or an empty one.
 */
export function verifierKey(name: string, publicKey: Uint8Array): string {
  if (!isKeyName(name))
    throw new LedgerError("key_malformed", "A key's name has at least one character, no spaces and no plus.");
  const key = Buffer.concat([Buffer.from([ED25519]), publicKey]).toString("base64");
  return `${name}+${keyIdOf(name, publicKey).toString("hex")}+${key}`;
}

/** Reads what `verifierKey` wrote. Throws `key_malformed`, also when the key id is not the key's. */
export function parseVerifierKey(text: string): VerifierKey {
  const [name = "", id = "", ...rest] = text.split("+");
  // Base64 has plus signs of its own.
  const key = Buffer.from(rest.join("+"), "base64");
  const publicKey = key.subarray(1);
  if (!isKeyName(name) || publicKey.length !== KEY_BYTES || key[0] !== ED25519)
    throw new LedgerError(
      "key_malformed",
      "A public key looks like <name>+<8 hex digits>+<44 characters of base64>.",
    );
  if (verifierKey(name, publicKey) !== text)
    throw new LedgerError("key_malformed", `The public key was altered: ${id} is not the id of this key.`);
  const jwk = { kty: "OKP", crv: "Ed25519", x: publicKey.toString("base64url") };
  const keyObject = createPublicKey({ key: jwk, format: "jwk" });
  return { name, keyId: keyIdOf(name, publicKey), publicKey, keyObject };
}

/** Whether a text can be the name of a key. */
export const isKeyName = (name: string): boolean => /^[^\s+\p{Cc}\p{Z}]+$/u.test(name) && name.isWellFormed();
