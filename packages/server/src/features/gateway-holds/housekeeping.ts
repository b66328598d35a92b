import { createTicker, type Ticker } from "../../kernel/ticker.ts";
import type { HoldsContext } from "./context.ts";
import { entries } from "./entries.ts";
import { limits } from "./limits.ts";
import { lose } from "./run.ts";
import * as store from "./store.ts";

/** Ends calls whose time is over, and clears what is kept no longer; any number of nodes may do it at once. */
export function createTidying(context: HoldsContext): Ticker {
  return createTicker({
    name: "held calls whose time is over",
    everyMs: limits.tidyEveryMs,
    log: context.platform.log,
    run: (signal) => tidy(context, signal),
  });
}

/** One such look; true when there may be more to do. */
export async function tidy(context: HoldsContext, signal?: AbortSignal): Promise<boolean> {
  const { clock, database } = context.platform;
  const nowMs = clock();
  await store.eraseResults(database, new Date(nowMs - limits.replayMs));
  await store.deleteEnded(database, new Date(nowMs - limits.keptMs));
  const failed: string[] = [];
  for (let done = 0; done < limits.tidyRows; done++) {
    if (signal?.aborted || !(await endOne(context, failed))) return false;
  }
  return failed.length < limits.tidyRows;
}

/** Tells the others that the calls this node runs are running still. */
export function createLifeSigns(context: HoldsContext): Ticker {
  return createTicker({
    name: "held calls under way",
    everyMs: limits.aliveEveryMs,
    log: context.platform.log,
    run: () => showLife(context),
  });
}

/** One such sign. */
export async function showLife(context: HoldsContext): Promise<void> {
  const { clock, database } = context.platform;
  const nowMs = clock();
  for (const [id, sinceMs] of context.running) {
    if (sinceMs + limits.runningMs <= nowMs) context.running.delete(id);
  }
  if (context.running.size === 0) return;
  await store.renewRunning(database, [...context.running.keys()], new Date(nowMs + limits.silentMs));
}

/** Ends one call whose time is over; false when there is none. One that can't be ended goes into `failed`. */
async function endOne(context: HoldsContext, failed: string[]): Promise<boolean> {
  const { database, clock, log } = context.platform;
  const nowMs = clock();
  const [over] = await store.selectOver(database, new Date(nowMs), failed);
  if (over === undefined) return false;
  try {
    if (over.status === "running") await lose(context, over.id, nowMs);
    else await lapse(context, over.id, nowMs);
  } catch (error) {
    failed.push(over.id);
    log.error({ err: error, hold: over.id }, "a held call could not be ended; it is tried again");
  }
  return true;
}

async function lapse(context: HoldsContext, id: string, nowMs: number): Promise<void> {
  await context.platform.database.transaction(async (tx) => {
    const hold = await store.setLapsed(tx, id, new Date(nowMs));
    if (hold === null) return;
    await context.quotas.giveBackIn(tx, hold.reservations);
    context.ledger.append(tx, entries.lapsed(hold));
    tx.beforeCommit(async () => context.count("lapsed"));
  });
}
