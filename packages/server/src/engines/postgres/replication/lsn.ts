/**
 * A position in the write-ahead log (log sequence number): a byte offset, 64 bits unsigned. Positions are compared
 * as numbers and shown as Postgres prints them, two hexadecimal halves with a slash between.
 */
const printed = /^[0-9A-Fa-f]{1,8}\/[0-9A-Fa-f]{1,8}$/;

/** `"0/16B3748"` → `23803720n`. Throws a RangeError for anything Postgres would not print as `pg_lsn`. */
export function parseLsn(text: string): bigint {
  if (!printed.test(text)) throw new RangeError(`Not a log sequence number: ${JSON.stringify(text)}`);
  const slash = text.indexOf("/");
  return (BigInt(`0x${text.slice(0, slash)}`) << 32n) | BigInt(`0x${text.slice(slash + 1)}`);
}

/** `23803720n` → `"0/16B3748"`. */
export function formatLsn(lsn: bigint): string {
  return `${(lsn >> 32n).toString(16)}/${(lsn & 0xffff_ffffn).toString(16)}`.toUpperCase();
}

/** The later of two positions. */
export function laterLsn(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

/** The earlier of two positions. */
export function earlierLsn(a: bigint, b: bigint): bigint {
  return laterLsn(a, b) === a ? b : a;
}
