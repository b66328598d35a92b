import { setTimeout as pause } from "node:timers/promises";
import { type Checkpoint, Frontier, LedgerError, rootOf } from "@ambit/ledger";
import type { Platform } from "../../engines/platform.ts";
import type { AmbitError } from "../../kernel/errors.ts";
import {
  type CheckpointRow,
  checkpointOf,
  insertCheckpoint,
  latestCheckpoint,
  selectCheckpoints,
  selectLeafRun,
} from "./checkpoint-store.ts";
import { ledgerErrors } from "./errors.ts";
import { limits } from "./limits.ts";
import type { LedgerMetrics } from "./metrics.ts";
import { createSigner, type Signer } from "./signer.ts";
import { storedFrontier, storedNodes } from "./tree.ts";
import { isPlacedUpTo, selectHead, selectLastSeq, splitHashes } from "./tree-store.ts";

/** A signed checkpoint, and what it says. */
export interface SignedCheckpoint extends CheckpointRow {
  readonly root: Buffer;
}

export interface Checkpoints {
  /** Name and public key of this ledger. */
  signer(): Promise<Signer>;
  /**
   * A checkpoint of the tree as it is now; the stored one when it has not grown since. It is signed only when all that
   * was signed before is still the beginning of the tree, and every leaf since then is that of its entry: else throws
   * LEDGER_BROKEN.
   */
  sign(): Promise<SignedCheckpoint>;
  /** Waits until everything that is committed now is in the tree, then signs. Throws LEDGER_BEHIND, LEDGER_BROKEN. */
  current(signal?: AbortSignal): Promise<SignedCheckpoint>;
  /** The latest stored one; null when there is none. */
  latest(): Promise<SignedCheckpoint | null>;
  /** The stored one of this size; null when there is none. */
  ofSize(size: number): Promise<SignedCheckpoint | null>;
  /** Stored ones of more than `after` entries, the smallest first. */
  list(after: number, limit: number): Promise<SignedCheckpoint[]>;
}

/** `wake` asks the sequencer to look for entries at once. */
export function createCheckpoints(
  { database, secrets, clock, log }: Platform,
  metrics: LedgerMetrics,
  wake: () => void,
): Checkpoints {
  let known: Promise<Signer> | null = null;
  const signer = (): Promise<Signer> => {
    known ??= selectHead(database).then(({ id }) => createSigner(secrets, id));
    known.catch(() => (known = null));
    return known;
  };

  const broken = (problem: string, cause?: unknown): AmbitError => {
    metrics.broken.set(1);
    log.error({ err: cause, problem }, "the ledger is not what was signed; no checkpoint is made");
    return ledgerErrors.LEDGER_BROKEN({ message: `${problem} No checkpoint was made.`, cause });
  };

  const opened = async (row: CheckpointRow): Promise<SignedCheckpoint> => {
    let says: Checkpoint;
    try {
      says = (await signer()).open(row.note);
    } catch (error) {
      if (error instanceof LedgerError)
        throw broken(`The stored checkpoint of ${row.size} entries was not signed by this ledger.`, error);
      throw error;
    }
    if (says.size !== row.size)
      throw broken(`The checkpoint stored for ${row.size} entries speaks of ${says.size}.`);
    return { ...row, root: says.root };
  };

  /** The root over all leaves, from what was signed before and the leaves since, each compared with its entry. */
  const rootFromLeaves = async (signed: SignedCheckpoint | null, size: number): Promise<Buffer> => {
    const frontier = signed === null ? new Frontier() : await storedFrontier(database, signed.size);
    if (signed !== null && !frontier.root().equals(signed.root))
      throw broken(`The first ${signed.size} entries of the tree are not those that were signed.`);
    while (frontier.size < size) {
      const first = frontier.size;
      const end = Math.min(first + limits.signedAtOnce, size);
      const run = await selectLeafRun(database, first, end);
      const hashes = splitHashes(run.hashes);
      if (run.wrong !== null)
        throw broken(`Entry ${run.wrong} of the tree is not the one that was placed there.`);
      if (hashes.length !== end - first)
        throw broken(`Of the entries ${first} to ${end - 1} some are missing.`);
      for (const hash of hashes) frontier.append(hash);
    }
    return frontier.root();
  };

  const signTree = async (): Promise<SignedCheckpoint> => {
    const { treeSize: size } = await selectHead(database);
    const stored = await latestCheckpoint(database);
    const signed = stored === null ? null : await opened(stored);
    // Another node may have signed a larger tree since its size was read here.
    if (signed !== null && signed.size > size && signed.size > (await selectHead(database)).treeSize)
      throw broken(`${signed.size} entries were signed, and the tree has ${size}.`);
    if (signed !== null && signed.size >= size) return signed;
    const root = await rootFromLeaves(signed, size);
    if (!root.equals(await rootOf(size, storedNodes(database))))
      throw broken(`The stored tree of ${size} entries is not the one its leaves make.`);
    const note = (await signer()).sign(size, root);
    await insertCheckpoint(database, { size, note, at: new Date(clock()) });
    metrics.checkpoint.set(size);
    metrics.broken.set(0);
    return opened((await checkpointOf(database, size))!);
  };

  const sign = async (): Promise<SignedCheckpoint> => {
    try {
      return await signTree();
    } catch (error) {
      throw error instanceof LedgerError ? broken("The stored tree is not whole.", error) : error;
    }
  };

  const placed = async (signal?: AbortSignal): Promise<void> => {
    const seq = await selectLastSeq(database);
    const giveUpMs = performance.now() + limits.placedWithinMs;
    while (!(await isPlacedUpTo(database, seq))) {
      signal?.throwIfAborted();
      if (performance.now() > giveUpMs) throw ledgerErrors.LEDGER_BEHIND({ headers: { "Retry-After": "1" } });
      wake();
      await pause(limits.placedPollMs);
    }
  };

  return {
    signer,
    sign,
    async current(signal) {
      await placed(signal);
      return sign();
    },
    async latest() {
      const row = await latestCheckpoint(database);
      return row === null ? null : opened(row);
    },
    list: async (after, limit) =>
      Promise.all((await selectCheckpoints(database, { after, upTo: null, limit })).map(opened)),
    async ofSize(size) {
      const row = await checkpointOf(database, size);
      return row === null ? null : opened(row);
    },
  };
}
