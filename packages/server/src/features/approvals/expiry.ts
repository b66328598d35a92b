import { createTicker, type Ticker } from "../../kernel/ticker.ts";
import { expire } from "./carry-out.ts";
import { limits } from "./limits.ts";
import { approvalOf } from "./rows.ts";
import * as store from "./store.ts";
import { handlerOf, type Ticket } from "./ticket.ts";
import type { OneTimeTokens } from "./tokens.ts";

/** Ends approvals whose time is over, each in a transaction of its own; any number of nodes may do it at once. */
export function createExpiry(ticket: Ticket, tokens: OneTimeTokens): Ticker {
  const { log, clock } = ticket.workings.platform;
  return createTicker({
    name: "approvals that expire",
    everyMs: limits.expiryEveryMs,
    log,
    async run(signal) {
      await tokens.prune(clock());
      const failed: string[] = [];
      for (let done = 0; done < limits.expiryBatch; done++) {
        if (signal.aborted || !(await expireOne(ticket, failed))) return false;
      }
      return failed.length < limits.expiryBatch;
    },
  });
}

/** Ends one due approval; false when there is none. One that can't be ended goes into `failed` and is left for later. */
async function expireOne(ticket: Ticket, failed: string[]): Promise<boolean> {
  const { workings } = ticket;
  const { platform, envelope } = workings;
  let id: string | null = null;
  try {
    await platform.database.transaction(async (tx) => {
      const nowMs = platform.clock();
      const row = await store.lockDue(tx, new Date(nowMs), [...ticket.handlers.keys()], failed);
      if (row === null) return;
      id = row.id;
      const approval = approvalOf(row, await store.selectDecisions(tx, [row.id]), envelope);
      await expire(workings, tx, handlerOf(ticket, row.kind), approval, nowMs);
    });
  } catch (error) {
    if (id === null) throw error;
    failed.push(id);
    platform.log.error({ err: error, approval: id }, "an approval could not be ended; it is tried again");
    return true;
  }
  if (id !== null) workings.count("expired");
  return id !== null;
}
