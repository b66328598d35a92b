import { canonicalText } from "./canonical.ts";
import { LedgerError } from "./errors.ts";
import { hmacSha256 } from "./hashing.ts";
import type { Json, Opening } from "./types.ts";

/** Bytes of a salt. */
export const SALT_BYTES = 32;

/**
 * The commitment to a value under a name: base64url of HMAC-SHA-256 with the salt as the key, over the name, a zero byte
 * and the value's canonical text. Without the salt nobody can tell or guess the value. Throws `not_canonical`.
 */
export function commit(name: string, value: Json, salt: Uint8Array): string {
  if (salt.length !== SALT_BYTES)
    throw new LedgerError("not_canonical", `A salt has ${SALT_BYTES} bytes, not ${salt.length}.`);
  return hmacSha256(salt, `${name}\u0000${canonicalText(value)}`).toString("base64url");
}

/** A value with a fresh salt; `randomBytes` must be the system's cryptographic source. */
export const newOpening = (value: Json, randomBytes: (size: number) => Buffer): Opening => ({
  salt: randomBytes(SALT_BYTES).toString("base64"),
  value,
});

/** Whether the opening is what the commitment under this name was made of. False for an opening that is none. */
export function opens(commitment: string, name: string, opening: Opening): boolean {
  try {
    return commit(name, opening.value, Buffer.from(opening.salt, "base64")) === commitment;
  } catch {
    return false;
  }
}
