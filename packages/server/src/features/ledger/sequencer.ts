import { appendLeaves, type Frontier } from "@ambit/ledger";
import type { Platform } from "../../engines/platform.ts";
import { newUuid } from "../../kernel/ids.ts";
import { limits } from "./limits.ts";
import type { LedgerMetrics } from "./metrics.ts";
import { type Progress, progressAfter } from "./placing.ts";
import { storedFrontier } from "./tree.ts";
import { place, releaseLease, selectUnplaced, takeLease, type Unplaced } from "./tree-store.ts";

/** Gives committed entries their places in the tree; of all nodes on a database, one at a time does. */
export interface Sequencer {
  /**
   * Places what is there, as far as this node holds the lease or can take it. Returns whether there may be more at
   * once. One run at a time.
   */
  run(): Promise<boolean>;
  /** Number of entries in the tree while this node places them, null while it does not. */
  readonly placing: number | null;
  /** Lets another node take over at once. */
  release(): Promise<void>;
}

/** What the node that holds the lease keeps in memory; all of it is in the database too. */
interface Held extends Progress {
  readonly frontier: Frontier;
  /** When the lease was last renewed, on this process's clock: before the database did. */
  readonly renewedMs: number;
}

/**
 * The lease keeps two nodes from doing the same work; what keeps them from both placing is that a placement is one
 * statement that changes the head only from the very size, and by the very holder, it was computed for.
 */
export function createSequencer(
  { database, clock, log }: Pick<Platform, "database" | "clock" | "log">,
  metrics: LedgerMetrics,
): Sequencer {
  const holder = newUuid();
  let held: Held | null = null;
  let lastTryMs = Number.NEGATIVE_INFINITY;

  const acquire = async (): Promise<Held | null> => {
    const nowMs = performance.now();
    if (nowMs - lastTryMs < limits.acquireEveryMs) return null;
    lastTryMs = nowMs;
    const head = await takeLease(database, holder, limits.leaseMs);
    if (head === null) return null;
    const frontier = await storedFrontier(database, head.treeSize);
    log.debug({ size: head.treeSize, gaps: head.gaps.length }, "this node places the ledger's entries now");
    return { highSeq: head.highSeq, gaps: head.gaps, frontier, renewedMs: nowMs };
  };

  const lose = () => {
    held = null;
    lastTryMs = performance.now();
    metrics.sequencer.set(0);
  };

  /** What to place comes from one snapshot; the placement itself is refused if the tree has grown since. */
  const placeUnplaced = async (state: Held, found: Unplaced): Promise<Held | null> => {
    const cut = found.seqs.length === limits.placedAtOnce;
    const progress = progressAfter(state, { ...found, cut }, limits.gaps);
    const nowMs = performance.now();
    if (found.seqs.length === 0 && nowMs - state.renewedMs < limits.leaseMs - limits.renewBeforeMs) {
      return { ...state, ...progress };
    }
    const { frontier } = state;
    const treeSize = frontier.size;
    const tiles = appendLeaves(frontier, found.hashes);
    const gaps = await place(database, {
      ...{
        holder,
        leaseMs: limits.leaseMs,
        treeSize,
        seqs: found.seqs,
        hashes: found.hashes,
        tiles,
        progress,
      },
    });
    return gaps === null ? null : { highSeq: progress.highSeq, gaps, frontier, renewedMs: nowMs };
  };

  const observe = (state: Held, found: Unplaced) => {
    metrics.sequencer.set(1);
    metrics.size.set(state.frontier.size);
    metrics.gaps.set(state.gaps.length);
    if (found.since === null) return;
    metrics.placed.inc(found.seqs.length);
    metrics.lagMs.set(Math.max(0, clock() - found.since.getTime()));
  };

  return {
    async run() {
      held ??= await acquire();
      if (held === null) return false;
      try {
        const found = await selectUnplaced(database, held, limits.placedAtOnce);
        held = await placeUnplaced(held, found);
        if (held === null) {
          lose();
          return false;
        }
        observe(held, found);
        return found.seqs.length === limits.placedAtOnce;
      } catch (error) {
        // Whether the statement took effect is not known: what is in memory may be behind the database.
        lose();
        throw error;
      }
    },
    get placing() {
      return held === null ? null : held.frontier.size;
    },
    async release() {
      if (held === null) return;
      lose();
      await releaseLease(database, holder);
    },
  };
}
