import type { HoldsContext } from "./context.ts";
import { entries } from "./entries.ts";
import * as store from "./store.ts";

/**
 * Ends what waits or is approved of a grant, or of a server, each call in a transaction of its own: a node that dies on
 * the way leaves whole ones, which the next look finds. Returns how many.
 */
export async function cancelAll(
  context: HoldsContext,
  of: { grantId: string | null; serverId: string | null },
): Promise<number> {
  const { database, clock } = context.platform;
  let cancelled = 0;
  for (const { id, organization_id } of await store.selectWaiting(database, of)) {
    const done = await database.transaction(async (tx) => {
      // The approval's row first: that is the order in which deciding locks them.
      await context.approvals.cancel(tx, organization_id, "tool_call", id);
      const end = { status: "cancelled", reason: null, at: new Date(clock()) } as const;
      const hold = await store.setEnded(tx, id, ["pending", "approved"], end);
      if (hold === null) return false;
      await context.quotas.giveBackIn(tx, hold.reservations);
      context.ledger.append(tx, entries.cancelled(hold));
      return true;
    });
    if (!done) continue;
    cancelled += 1;
    context.count("cancelled");
  }
  return cancelled;
}
