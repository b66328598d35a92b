import { consistencyProof, inclusionProof, rootOf } from "@ambit/ledger";
import type { Database } from "../../engines/postgres/database.ts";
import { errors } from "../../kernel/errors.ts";
import type { Checkpoints, SignedCheckpoint } from "./checkpoints.ts";
import { ledgerErrors } from "./errors.ts";
import { selectEntry } from "./store.ts";
import { storedNodes } from "./tree.ts";
import { selectHead } from "./tree-store.ts";

/** Shows that an entry is in the tree that a checkpoint signs. Hashes are 32 bytes. */
export interface InclusionProof {
  readonly index: number;
  readonly size: number;
  readonly leafHash: Buffer;
  readonly hashes: readonly Buffer[];
  readonly checkpoint: SignedCheckpoint;
}

/** Shows that the tree of `from` entries is the beginning of the tree of `to`. */
export interface ConsistencyProof {
  readonly from: number;
  readonly to: number;
  readonly fromRoot: Buffer;
  readonly toRoot: Buffer;
  readonly hashes: readonly Buffer[];
}

export interface Proofs {
  /**
   * Proves an organisation's entry against the checkpoint of `size` entries, or else the latest that covers it; makes
   * one when none does yet. Throws RESOURCE_NOT_FOUND, LEDGER_BEHIND, LEDGER_BROKEN.
   */
  inclusion(
    organizationId: string,
    id: string,
    size: number | undefined,
    signal?: AbortSignal,
  ): Promise<InclusionProof>;
  /** `to` defaults to the latest checkpoint, and to `from` while there is none. Throws RESOURCE_NOT_FOUND. */
  consistency(from: number, to: number | undefined): Promise<ConsistencyProof>;
}

export function createProofs(database: Database, checkpoints: Checkpoints): Proofs {
  const checkpointFor = async (index: number | null, size: number | undefined, signal?: AbortSignal) => {
    if (size === undefined) {
      const latest = await checkpoints.latest();
      return latest !== null && index !== null && index < latest.size ? latest : checkpoints.current(signal);
    }
    const asked = await checkpoints.ofSize(size);
    if (asked === null) {
      throw errors.RESOURCE_NOT_FOUND({
        message: `There is no checkpoint of ${size} entries.`,
        remediation: "List the checkpoints (GET /v1/ledger/checkpoints) and use the size of one.",
      });
    }
    return asked;
  };

  return {
    async inclusion(organizationId, id, size, signal) {
      const entry = await entryOf(database, organizationId, id);
      const checkpoint = await checkpointFor(entry.index, size, signal);
      const index = entry.index ?? (await entryOf(database, organizationId, id)).index;
      if (index === null) throw ledgerErrors.LEDGER_BEHIND();
      if (index >= checkpoint.size) {
        throw errors.RESOURCE_NOT_FOUND({
          message: `The checkpoint of ${checkpoint.size} entries does not cover entry ${index}.`,
          remediation: "Leave out `size`, or name a later checkpoint.",
        });
      }
      const nodeAt = storedNodes(database);
      const hashes = await inclusionProof(index, checkpoint.size, nodeAt);
      return { index, size: checkpoint.size, leafHash: await nodeAt(0, index), hashes, checkpoint };
    },
    async consistency(from, to) {
      const { treeSize } = await selectHead(database);
      const end = to ?? Math.max(from, (await checkpoints.latest())?.size ?? 0);
      if (from > end || end > treeSize) {
        throw errors.RESOURCE_NOT_FOUND({
          message: `The tree has ${treeSize} entries; there is no growth from ${from} to ${end}.`,
          remediation: "Use sizes of checkpoints, the smaller one as `from`.",
        });
      }
      const nodeAt = storedNodes(database);
      const [fromRoot, toRoot] = [await rootOf(from, nodeAt), await rootOf(end, nodeAt)];
      return { from, to: end, fromRoot, toRoot, hashes: await consistencyProof(from, end, nodeAt) };
    },
  };
}

/** Throws RESOURCE_NOT_FOUND. */
export async function entryOf(database: Database, organizationId: string, id: string) {
  const entry = await selectEntry(database, organizationId, id);
  if (entry !== null) return entry;
  throw errors.RESOURCE_NOT_FOUND({
    message: `The organisation has no ledger entry ${id.slice(0, 80)}.`,
    remediation: "List its entries: GET /v1/ledger/entries.",
  });
}
