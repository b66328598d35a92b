import { createHash } from "node:crypto";
import { signCheckpoint } from "../checkpoint.ts";
import { commit, newOpening } from "../commitment.ts";
import { canonicalEntry } from "../entry.ts";
import { checkpointLine, headerLine, leafLine } from "../export.ts";
import { Frontier } from "../frontier.ts";
import { leafHash } from "../hashing.ts";
import { keyPairFromSeed, type SigningKey, verifierKey } from "../keys.ts";
import type { LedgerEntry, Openings } from "../types.ts";

/** A ledger in memory, to be exported, tampered with and exported again. */
export interface TestLog {
  readonly name: string;
  readonly key: SigningKey;
  readonly leaves: TestLeaf[];
  /** Sizes at which a checkpoint was signed, ascending; the last is the whole. */
  readonly sizes: number[];
}

export interface TestLeaf {
  readonly entry: LedgerEntry;
  readonly openings: Openings;
  /** Exported as a hash alone. */
  readonly foreign: boolean;
}

export const NAME = "ambit.example/ledger";
export const KEY = keyPairFromSeed(Buffer.alloc(32, 1));
export const VKEY = verifierKey(NAME, KEY.publicKey);
/** A key with the same name that is not the ledger's. */
export const OTHER_KEY = keyPairFromSeed(Buffer.alloc(32, 2));

/** Bytes that look random and are the same in each run. */
export const bytesOf = (seed: string): Buffer => createHash("sha256").update(seed).digest();

const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";
export const idOf = (seed: string): string =>
  `led_${Array.from(bytesOf(seed).subarray(0, 26), (byte) => ALPHABET[byte % 32]).join("")}`;

/** The leaf of entry `index`; `how` varies it. */
export function leafOf(index: number, how: Partial<TestLeaf> & { readonly seed?: string } = {}): TestLeaf {
  const seed = how.seed ?? `entry ${index}`;
  const opening = newOpening({ note: `Number ${index}, „ü“`, amount: index / 3 }, () =>
    bytesOf(`salt ${seed}`),
  );
  const entry: LedgerEntry = {
    v: 1,
    id: idOf(seed),
    at: new Date(1_780_000_000_000 + index).toISOString(),
    kind: "substrate.action.executed",
    org: "org_1",
    app: null,
    actor: { type: "agent", id: "key_1", account: "acc_1" },
    subject: `act_${index}`,
    data: { verdict: "auto_approved", 10: true, 9: ["x", null] },
    sealed: { payload: commit("payload", opening.value, Buffer.from(opening.salt, "base64")) },
  };
  return { entry, openings: { payload: opening }, foreign: false, ...how };
}

/** A log of `size` entries with checkpoints at `sizes` and at its end. */
export const logOf = (size: number, sizes: readonly number[] = []): TestLog => ({
  name: NAME,
  key: KEY,
  leaves: Array.from({ length: size }, (_, index) => leafOf(index)),
  sizes: [...new Set([...sizes, size])].sort((one, other) => one - other),
});

/** The note over the first `size` entries, signed with the log's key or another. */
export function noteOf(log: TestLog, size: number, key: SigningKey = log.key): string {
  const tree = new Frontier();
  for (const { entry } of log.leaves.slice(0, size)) tree.append(leafHash(canonicalEntry(entry)));
  return signCheckpoint({ origin: log.name, size, root: tree.root() }, log.name, key.privateKey);
}

/** The lines of the log's export, each with its newline. */
export function linesOfLog(log: TestLog): string[] {
  const lines = [
    headerLine({
      origin: log.name,
      public_key: verifierKey(log.name, log.key.publicKey),
      size: log.leaves.length,
      exported_at: "2026-06-01T00:00:00.000Z",
      organization: null,
    }),
  ];
  for (let size = 0; size <= log.leaves.length; size++) {
    if (log.sizes.includes(size)) lines.push(checkpointLine(noteOf(log, size)));
    const leaf = log.leaves[size];
    if (leaf !== undefined) lines.push(lineOfLeaf(size, leaf));
  }
  return lines;
}

export function lineOfLeaf(index: number, { entry, openings, foreign }: TestLeaf): string {
  const text = canonicalEntry(entry);
  const leaf = leafHash(text);
  return leafLine(foreign ? { index, leaf } : { index, entry: text, leaf, openings });
}
