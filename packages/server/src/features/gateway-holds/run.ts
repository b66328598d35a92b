import { type HoldsContext, sealText } from "./context.ts";
import { entries } from "./entries.ts";
import { limits } from "./limits.ts";
import * as store from "./store.ts";

/** See `GatewayHoldsService.claim`. */
export async function claim(context: HoldsContext, holdId: string, nowMs: number): Promise<boolean> {
  const hold = await store.setRunning(context.platform.database, holdId, new Date(nowMs));
  if (hold === null) return false;
  context.running.set(holdId, nowMs);
  return true;
}

/** See `GatewayHoldsService.finish`. */
export async function finish(
  context: HoldsContext,
  holdId: string,
  end: { readonly ran: "no" } | { readonly ran: "yes"; readonly result: string | null },
  nowMs: number,
): Promise<void> {
  // Whatever comes of writing it down: from here on it is not running here any more.
  context.running.delete(holdId);
  if (end.ran === "yes") await executed(context, holdId, end.result, nowMs);
  else await neverRan(context, holdId, nowMs);
}

async function executed(
  context: HoldsContext,
  holdId: string,
  result: string | null,
  nowMs: number,
): Promise<void> {
  const { database, metrics } = context.platform;
  const tooLong = result !== null && Buffer.byteLength(result) > limits.resultBytes;
  if (tooLong) metrics.limitsHit.inc({ limit: "gateway_kept_result_bytes" });
  const kept = result === null || tooLong ? null : sealText(context, holdId, result);
  await database.transaction(async (tx) => {
    const hold = await store.setExecuted(tx, holdId, kept, new Date(nowMs));
    if (hold !== null) context.ledger.append(tx, entries.executed(hold));
  });
  context.count("executed");
}

async function neverRan(context: HoldsContext, holdId: string, nowMs: number): Promise<void> {
  await context.platform.database.transaction(async (tx) => {
    if ((await store.setApprovedAgain(tx, holdId)) !== null) return;
    // It was thought lost meanwhile, and may have been asked for anew: it is over, but its quota was not used.
    const end = { status: "cancelled", reason: null, at: new Date(nowMs) } as const;
    const hold = await store.setEnded(tx, holdId, ["unknown"], end);
    if (hold === null) return;
    await context.quotas.giveBackIn(tx, hold.reservations);
    context.ledger.append(tx, entries.cancelled(hold));
  });
}

/** Writes down that nobody knows whether a running call ran; no-op when it runs, or has ended. */
export async function lose(context: HoldsContext, holdId: string, nowMs: number): Promise<void> {
  const lost = await context.platform.database.transaction(async (tx) => {
    const hold = await store.setUnknown(tx, holdId, new Date(nowMs));
    if (hold !== null) context.ledger.append(tx, entries.unknown(hold));
    return hold !== null;
  });
  if (!lost) return;
  context.count("unknown");
  context.platform.log.warn({ hold: holdId }, "an approved call was running when its node went silent");
}
