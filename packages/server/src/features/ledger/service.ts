import type { Transaction } from "../../engines/postgres/database.ts";
import type { LedgerDraft } from "./types.ts";

export type { Json, JsonObject, LedgerActor, LedgerDraft } from "./types.ts";

/** The one ledger. Every feature writes to it through `append` or `record`, and through nothing else. */
export interface LedgerService {
  /**
   * Writes an entry as part of `tx`: it is there exactly when what it records is. Written as the transaction's last
   * statement, so that the order of the ledger is the order of commits. Returns the entry's id at once; throws
   * LEDGER_ENTRY_TOO_LARGE.
   */
  append(tx: Transaction, draft: LedgerDraft): string;
  /**
   * Writes an entry by itself, durable when the promise resolves. Entries that come while one write is under way go
   * together in the next.
   */
  record(draft: LedgerDraft): Promise<string>;
  /** Erases what entries had sealed (all names, or those given) and records that. The entries stay, and stay provable. */
  erase(
    tx: Transaction,
    erasure: {
      readonly organizationId: string;
      /** Entries about these subjects. */
      readonly subjects: readonly string[];
      readonly names?: readonly string[];
      readonly actor: LedgerDraft["actor"];
      readonly reason: string;
    },
  ): Promise<number>;
}
