import type { Database, Queryable } from "../../engines/postgres/database.ts";
import { limits } from "./limits.ts";

/** First half of the key of each app's advisory lock; any constant will do. */
const LOCK_CLASS = 730_217;

/** Runs changes of one app one after the other, so that waiting ones hold no connection of the app. */
export class ChangeQueue {
  readonly #last = new Map<string, Promise<unknown>>();

  run<T>(appId: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(appId) ?? Promise.resolve();
    const mine = before.then(work, work);
    const settled = mine.catch(() => {});
    this.#last.set(appId, settled);
    void settled.then(() => {
      if (this.#last.get(appId) === settled) this.#last.delete(appId);
    });
    return mine;
  }
}

/**
 * One transaction as the owner of an app's schema, alone among all changes of that app on every node. A statement
 * waits for a table only briefly: behind a waiting change, everyone else waits too.
 */
export function changeTransaction<T>(
  database: Database,
  appId: string,
  work: (tx: Queryable) => Promise<T>,
): Promise<T> {
  return database.ownerTransaction(appId, async (tx) => {
    await tx.query(`set local statement_timeout = ${limits.changeMs}`);
    await tx.query("select pg_advisory_xact_lock($1, hashtext($2))", [LOCK_CLASS, appId]);
    await tx.query(`set local lock_timeout = ${limits.lockMs}`);
    return work(tx);
  });
}

/** Marks the place in the write-ahead log from which readers see the change. The last statement of each change. */
export async function announce(tx: Queryable, what: "schema" | "policy"): Promise<void> {
  await tx.query("select ambit_helpers.announce_change($1)", [what]);
}
