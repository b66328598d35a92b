import { AmbitError } from "../../kernel/errors.ts";
import type { Checkpoints } from "./checkpoints.ts";
import { limits } from "./limits.ts";

/**
 * Signs the tree now and then while it grows: called with its size by the node that places entries, as often as that
 * likes. Tries again after a pause when it could not; that the ledger is broken has been logged by then.
 */
export function createSchedule(checkpoints: Pick<Checkpoints, "sign">): (treeSize: number) => Promise<void> {
  let signedSize = -1;
  let lastMs = Number.NEGATIVE_INFINITY;
  return async (treeSize) => {
    if (treeSize <= signedSize || treeSize === 0) return;
    const nowMs = performance.now();
    if (nowMs - lastMs < limits.checkpointEveryMs) return;
    lastMs = nowMs;
    try {
      signedSize = (await checkpoints.sign()).size;
    } catch (error) {
      if (!(error instanceof AmbitError && error.code === "LEDGER_BROKEN")) throw error;
    }
  };
}
