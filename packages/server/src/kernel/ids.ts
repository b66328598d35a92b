import { createHash, randomBytes, randomUUID } from "node:crypto";

const BASE36 = "0123456789abcdefghijklmnopqrstuvwxyz";

/** `length` characters of `[0-9a-z]`, uniformly drawn (rejection sampling, no modulo bias). */
function base36(length: number): string {
  let text = "";
  while (text.length < length) {
    for (const byte of randomBytes(length * 2)) {
      if (byte < 252 && text.length < length) text += BASE36[byte % 36];
    }
  }
  return text;
}

/** `app_` and 12 characters; also the name of the app's schema and login role. */
export const newAppId = (): string => `app_${base36(12)}`;

/** A random UUID (version 4) for rows whose order does not matter to anyone. */
export const newUuid = (): string => randomUUID();

/** `<prefix>_` and 40 hexadecimal digits (160 random bits), e.g. an API key. */
export const newSecret = (prefix: string): string => `${prefix}_${randomBytes(20).toString("hex")}`;

/** An opaque url-safe token of `bytes` random bytes. */
export const newToken = (bytes = 32): string => randomBytes(bytes).toString("base64url");

/** `count` decimal digits from the system's cryptographic source, e.g. a one-time code. */
export function newDigits(count: number): string {
  let text = "";
  while (text.length < count) {
    for (const byte of randomBytes(count * 2)) if (byte < 250 && text.length < count) text += byte % 10;
  }
  return text;
}

/** SHA-256 as lower-case hex; enough for secrets that carry 160 bits of their own. */
export const sha256Hex = (text: string): string => createHash("sha256").update(text).digest("hex");

const CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz";

/**
 * `<prefix>_` and a ULID in lower case: 48 bits of milliseconds, then 80 random bits, so that ids made later sort
 * later (within a millisecond in any order). https://github.com/ulid/spec
 */
export function newSortableId(prefix: string, nowMs: number): string {
  let time = "";
  for (let rest = nowMs, at = 0; at < 10; at++, rest = Math.floor(rest / 32))
    time = CROCKFORD[rest % 32] + time;
  let random = "";
  for (const byte of randomBytes(16)) random += CROCKFORD[byte % 32];
  return `${prefix}_${time}${random}`;
}
