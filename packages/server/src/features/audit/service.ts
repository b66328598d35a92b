import type { Platform } from "../../engines/platform.ts";
import type { AuditEntry } from "../../kernel/pipeline.ts";
import type { LedgerService } from "../ledger/service.ts";
import { ledgerEntryOf } from "./ledger-entry.ts";
import { type AuditFilter, insertEntry, selectEntries } from "./store.ts";

export interface AuditService {
  /** Writes one entry, into the ledger too, in one transaction; it is durable when the promise resolves. */
  record(entry: AuditEntry): Promise<void>;
  list(
    appId: string,
    filter: AuditFilter,
    limit: number,
    offset: number,
  ): Promise<{ logs: Record<string, unknown>[]; total: number }>;
}

export function createAuditService(
  { database }: Platform,
  { ledger }: { readonly ledger: Pick<LedgerService, "append"> },
): AuditService {
  return {
    record: (entry) =>
      database.transaction(async (tx) => {
        const id = await insertEntry(tx, entry);
        ledger.append(tx, ledgerEntryOf(entry, id));
      }),
    list: (appId, filter, limit, offset) => selectEntries(database, appId, filter, limit, offset),
  };
}
