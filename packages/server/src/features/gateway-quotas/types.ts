import type { Reservation } from "@ambit/policy";
import type { Transaction } from "../../engines/postgres/database.ts";

/** What came of asking for room in counters. */
export type Reserved =
  | { readonly ok: true }
  /** The first, in the order asked for, that had no room; nothing was reserved. */
  | { readonly ok: false; readonly refused: Reservation };

export interface GatewayQuotasService {
  /**
   * Reserves all or none, atomically across nodes; what comes while a statement is under way goes together in the next.
   * Rejects with DATABASE_UNAVAILABLE when counters can't be asked: then the call must be denied. The reservation is
   * durable once anything committed after it is (it does not wait for the disk itself).
   */
  reserve(reservations: readonly Reservation[]): Promise<Reserved>;
  /** Gives back what was reserved, into the windows it came from. The caller sees to it that it does so once. */
  giveBack(reservations: readonly Reservation[]): Promise<void>;
  /** The same as part of a transaction. */
  giveBackIn(tx: Transaction, reservations: readonly Reservation[]): Promise<void>;
  /** How full a grant's counters are now; for people. */
  used(
    keyPrefix: string,
    nowMs: number,
  ): Promise<readonly { key: string; windowStart: Date; used: number }[]>;
}
