import { setTimeout as sleep } from "node:timers/promises";
import { limits } from "./limits.ts";

/**
 * Transactions that the log has shown as committed and that may not be visible to a query yet: Postgres writes the
 * commit record first, and only then lets others see the transaction (with a synchronous standby, much later).
 */
export class Settling {
  #xids = new Set<number>();

  get count(): number {
    return this.#xids.size;
  }

  /** 0, which stands for no transaction, is left out. */
  add(xid: number): void {
    if (xid !== 0) this.#xids.add(xid);
  }

  /** Waits for those of another too. */
  addAll(other: Settling): void {
    for (const xid of other.#xids) this.#xids.add(xid);
  }

  /** Waits until queries see all of them; `snapshot` gives the text of `pg_current_snapshot()`. */
  async settle(snapshot: () => Promise<string>, signal: { readonly closed: boolean }): Promise<void> {
    for (let pauseMs: number = limits.settleMs; this.#xids.size > 0 && !signal.closed; ) {
      if (this.settledBy(await snapshot())) return;
      await sleep(pauseMs);
      pauseMs = Math.min(pauseMs * 2, limits.retryMaxMs);
    }
  }

  /** Takes note of a snapshot and tells whether, with those before it, it sees all of them. */
  settledBy(snapshot: string): boolean {
    for (const xid of this.#xids) if (isVisible(xid, snapshot)) this.#xids.delete(xid);
    return this.#xids.size === 0;
  }
}

/**
 * Whether a snapshot sees a committed transaction: it is older than `xmax` and not among those under way. Only the
 * low 32 bits count, compared in a circle, as Postgres numbers transactions. Pure.
 */
export function isVisible(xid: number, snapshot: string): boolean {
  const [, xmax = "0", running = ""] = snapshot.split(":");
  const age = (low32(xmax) - xid) >>> 0;
  if (age === 0 || age > 0x7fff_ffff) return false;
  return running === "" || !running.split(",").some((other) => low32(other) === xid);
}

const low32 = (text: string): number => Number(BigInt(text) & 0xffff_ffffn);
