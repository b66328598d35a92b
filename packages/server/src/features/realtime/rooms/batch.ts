/** What nodes write into the log for each other: batches of messages, numbered by each sender from 0. Pure. */

/** A topic and its body as JSON text, ready to stand in a batch. */
export type Packed = string;

export interface Batch {
  readonly node: string;
  readonly number: number;
  readonly messages: readonly (readonly [topic: string, body: unknown])[];
}

export const pack = (topic: string, body: unknown): Packed => JSON.stringify([topic, body]);

/** How many of the first messages go together: as many as fit, and at least one. */
export function fitting(bytes: readonly number[], mostBytes: number): number {
  let sum = 0;
  for (const [at, size] of bytes.entries()) {
    sum += size;
    if (sum > mostBytes && at > 0) return at;
  }
  return bytes.length;
}

export const writeBatch = (node: string, number: number, messages: readonly Packed[]): string =>
  `{"n":${JSON.stringify(node)},"s":${number},"m":[${messages.join(",")}]}`;

/** The batch in a message's content, or null if it is none. */
export function readBatch(content: string): Batch | null {
  try {
    const { n, s, m } = JSON.parse(content);
    if (typeof n !== "string" || !Number.isSafeInteger(s) || !Array.isArray(m)) return null;
    const whole = m.every((each) => Array.isArray(each) && typeof each[0] === "string");
    return whole ? { node: n, number: s, messages: m } : null;
  } catch {
    return null;
  }
}

/**
 * What a batch's number says, given the last one taken from its sender (undefined: none yet): it comes `next`, it was
 * taken before (`again`), or others before it were lost (`gap`).
 */
export function standing(last: number | undefined, number: number): "next" | "again" | "gap" {
  if (last === undefined) return "next";
  if (number <= last) return "again";
  return number === last + 1 ? "next" : "gap";
}
