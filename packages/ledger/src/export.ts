import { LedgerError } from "./errors.ts";
import { HASH_BYTES } from "./hashing.ts";
import { limits } from "./limits.ts";
import { quoted } from "./report.ts";
import type { Hash, Openings } from "./types.ts";

/*
 * An export is JSON, one object per line, in this order:
 *
 *   {"format":"ambit-ledger-export","v":1,"origin":…,"public_key":…,"size":…,"exported_at":…,"organization":…}
 *   {"i":0,"entry":"<canonical text>","leaf":"<base64 of the hash>","openings":{"payload":{"salt":…,"value":…}}}
 *   {"i":1,"leaf":"<base64 of the hash>"}        for each entry, in order: with its text, or its hash alone
 *   {"checkpoint":"<signed note>"}               each right after the last entry it covers, the last one at the end
 *
 * Because a checkpoint stands where it applies, an export of any size is verified in one pass with little memory.
 */

export const EXPORT_FORMAT = "ambit-ledger-export";
export const EXPORT_VERSION = 1;

/** The first line. Nothing in it is signed: it informs, and verification trusts none of it. */
export interface ExportHeader {
  readonly origin: string;
  /** The verifier key the server says is its own. */
  readonly public_key: string;
  /** Number of entries. */
  readonly size: number;
  /** RFC 3339. */
  readonly exported_at: string;
  /** The organisation whose entries are there in full; null for everyone's. */
  readonly organization: string | null;
}

/** An entry with what opens its commitments, as far as that was not erased. */
export interface EntryLine {
  readonly index: number;
  /** The canonical text, exactly as it is in the tree. */
  readonly entry: string;
  /** The hash in the tree. With it a text that was changed is named exactly; without, as one of several. */
  readonly leaf?: Hash;
  /** Name → what opens the commitment. */
  readonly openings?: Openings;
}

/** The place of an entry that is not told: of another organisation. */
export interface ForeignLine {
  readonly index: number;
  readonly leaf: Hash;
}

export interface CheckpointLine {
  readonly checkpoint: string;
}

/** The header as a line. All lines end with their newline. */
export const headerLine = (header: ExportHeader): string =>
  line({
    format: EXPORT_FORMAT,
    v: EXPORT_VERSION,
    origin: header.origin,
    public_key: header.public_key,
    size: header.size,
    exported_at: header.exported_at,
    organization: header.organization,
  });

/** An entry, or the hash of one, as a line. */
export function leafLine(of: EntryLine | ForeignLine): string {
  const leaf = of.leaf?.toString("base64");
  if (!("entry" in of)) return line({ i: of.index, leaf });
  const openings = of.openings && Object.keys(of.openings).length > 0 ? of.openings : undefined;
  return line({ i: of.index, entry: of.entry, leaf, openings });
}

/** A signed note as a line; to be written right after the line of the last entry it covers. */
export const checkpointLine = (note: string): string => line({ checkpoint: note });

/**
 * All lines of an export: the leaves in order from 0, with each checkpoint (in order of size) where it belongs. Reads
 * both as they are asked for.
 */
export async function* exportLines(parts: {
  readonly header: ExportHeader;
  readonly leaves: AsyncIterable<EntryLine | ForeignLine> | Iterable<EntryLine | ForeignLine>;
  readonly checkpoints: AsyncIterable<SizedNote> | Iterable<SizedNote>;
}): AsyncGenerator<string> {
  yield headerLine(parts.header);
  const notes = iterate(parts.checkpoints);
  let note = await notes.next();
  for await (const leaf of parts.leaves) {
    for (; !note.done && note.value.size <= leaf.index; note = await notes.next())
      yield checkpointLine(note.value.note);
    yield leafLine(leaf);
  }
  for (; !note.done; note = await notes.next()) yield checkpointLine(note.value.note);
}

/** A checkpoint's note and the number of entries it covers. */
export interface SizedNote {
  readonly size: number;
  readonly note: string;
}

/** Reads the first line. Throws `line_malformed` when this is no export, or one of a later version. */
export function readHeader(text: string): ExportHeader {
  const value = readObject(text);
  if (value.format !== EXPORT_FORMAT) throw malformed("This is not an export of a ledger.");
  if (value.v !== EXPORT_VERSION)
    throw malformed(`Only version ${EXPORT_VERSION} of the export format is known here.`);
  const { origin, public_key, size, exported_at, organization } = value;
  const texts = [origin, public_key, exported_at].every((field) => typeof field === "string");
  if (!texts || !isCount(size) || !(organization === null || typeof organization === "string"))
    throw malformed("The first line lacks what an export's header has.");
  return value as unknown as ExportHeader;
}

const LINE_FIELDS = new Set(["i", "entry", "leaf", "openings", "checkpoint"]);

/** Reads a line after the first. Throws `line_malformed`; the entry's text and the note may still be anything. */
export function readLine(text: string): EntryLine | ForeignLine | CheckpointLine {
  const value = readObject(text);
  for (const name of Object.keys(value))
    if (!LINE_FIELDS.has(name)) throw malformed(`The line has the unknown field ${quoted(name)}.`);
  const { i: index, entry, leaf, openings, checkpoint } = value;
  if (index === undefined && typeof checkpoint === "string") return { checkpoint };
  if (!isCount(index)) throw malformed("The line has neither the number of an entry nor a checkpoint.");
  if (entry === undefined) return { index, leaf: readHash(leaf, index) };
  if (typeof entry !== "string" || !(openings === undefined || isObject(openings)))
    throw malformed(`Entry ${index} is not told as a text, or its openings are no object.`);
  return {
    index,
    entry,
    leaf: leaf === undefined ? undefined : readHash(leaf, index),
    openings: openings as unknown as Openings | undefined,
  };
}

function readHash(text: unknown, index: number): Hash {
  const hash = typeof text === "string" ? Buffer.from(text, "base64") : null;
  if (hash?.length !== HASH_BYTES || hash.toString("base64") !== text)
    throw malformed(`What stands for entry ${index} is not a hash.`);
  return hash;
}

function readObject(text: string): Record<string, unknown> {
  if (text.length > limits.lineBytes) throw malformed(`The line is longer than ${limits.lineBytes} bytes.`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw malformed("The line is not JSON.");
  }
  if (!isObject(value)) throw malformed("The line is not a JSON object.");
  return value;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

async function* iterate<T>(items: AsyncIterable<T> | Iterable<T>): AsyncGenerator<T> {
  yield* items;
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const line = (value: unknown) => `${JSON.stringify(value)}\n`;
const malformed = (message: string) => new LedgerError("line_malformed", message);
