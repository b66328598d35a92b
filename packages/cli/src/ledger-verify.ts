import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import {
  LedgerError,
  linesOf,
  openCheckpoint,
  parseVerifierKey,
  type Report,
  verifyExport,
} from "@ambit/ledger";
import { limits } from "./limits.ts";
import { Problem } from "./problem.ts";

/** What verifying found, for programs and for people. */
export interface Verdict {
  readonly report: Report;
  readonly lines: readonly string[];
  /** Whether it was an export at all. */
  readonly isExport: boolean;
}

const CHUNK_BYTES = 256 * 1024;

/**
 * Verifies an export file (`-` is standard input) against a public key, given as such or as the name of a file, and
 * checkpoints kept in files. Needs no server. Throws Problem for what can't be used: no key, no such file, a checkpoint
 * that this key has not signed.
 */
export async function verifyLedger(input: {
  readonly file: string;
  readonly publicKey: string | undefined;
  readonly checkpoints: readonly string[];
}): Promise<Verdict> {
  const publicKey = await publicKeyFrom(input.publicKey);
  const checkpoints = await Promise.all(input.checkpoints.map((path) => keptCheckpoint(path, publicKey)));
  const stream =
    input.file === "-" ? process.stdin : createReadStream(input.file, { highWaterMark: CHUNK_BYTES });
  try {
    const report = await verifyExport(linesOf(stream), publicKey, { checkpoints });
    const isExport = !report.problems.some(({ kind }) => kind === "not_an_export");
    return {
      report,
      isExport,
      lines: linesAbout(report, parseVerifierKey(publicKey).name, checkpoints.length),
    };
  } catch (error) {
    throw unreadable(input.file, error);
  }
}

function linesAbout(report: Report, name: string, kept: number): string[] {
  const { size, entries, foreign, proven, checkpoints, openings, problems, omitted } = report;
  const counts = `${size} entries (${entries} in full, ${foreign} as hashes), ${checkpoints} checkpoints, ${openings.checked} sealed values checked, ${openings.erased} not there`;
  if (report.ok) {
    const good = `ok: every entry is what ${name} signed: ${counts}.`;
    return kept > 0
      ? [good]
      : [
          good,
          "Whether the end was cut off shows only against a checkpoint kept earlier (--checkpoint <file>).",
        ];
  }
  const found = problems.map(({ kind, message }) => `${kind}: ${message.replace(/\p{C}/gu, "\ufffd")}`);
  const more = omitted > 0 ? [`and ${omitted} more`] : [];
  return [
    ...found,
    ...more,
    `NOT ok: ${problems.length + omitted} problems; apart from what is named, the first ${proven} entries are proven, of ${counts}.`,
  ];
}

async function publicKeyFrom(given: string | undefined): Promise<string> {
  if (!given)
    throw new Problem("Whose ledger? --public-key <key>, or a file with what `ambit ledger key` prints.");
  if (isPublicKey(given)) return given;
  const text = (await readSmall(given)).trim();
  if (!isPublicKey(text)) throw new Problem(`${given} is no public key of a ledger, and no file with one.`);
  return text;
}

function isPublicKey(text: string): boolean {
  try {
    parseVerifierKey(text);
    return true;
  } catch {
    return false;
  }
}

/** The note in a file. Editors and terminals may have touched its line ends, which are put right. */
async function keptCheckpoint(path: string, publicKey: string): Promise<string> {
  const note = `${(await readSmall(path)).replaceAll("\r\n", "\n").trimEnd()}\n`;
  try {
    openCheckpoint(note, publicKey);
    return note;
  } catch (error) {
    if (error instanceof LedgerError)
      throw new Problem(`${path} is no checkpoint of this ledger: ${error.message}`);
    throw error;
  }
}

async function readSmall(path: string): Promise<string> {
  try {
    await using file = await open(path);
    const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(limits.smallFileBytes) });
    return buffer.toString("utf8", 0, bytesRead);
  } catch (error) {
    throw unreadable(path, error);
  }
}

function unreadable(path: string, error: unknown): unknown {
  if (error instanceof LedgerError) return new Problem(error.message);
  const { code } = error as NodeJS.ErrnoException;
  return code === undefined ? error : new Problem(`${path} can't be read (${code}).`);
}
