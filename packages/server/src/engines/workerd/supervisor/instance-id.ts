import { createHash, createHmac } from "node:crypto";

const HALF = 16;

/**
 * The id workerd gives the instance of this name: half of it is a keyed hash of the name, the other half a keyed hash
 * of the first, by which the namespace knows its own ids.
 */
export function idFromName(uniqueKey: string, name: string): string {
  const key = createHash("sha256").update(uniqueKey).digest();
  const base = createHmac("sha256", key).update(name).digest().subarray(0, HALF);
  const proof = createHmac("sha256", key).update(base).digest().subarray(0, HALF);
  return base.toString("hex") + proof.toString("hex");
}
