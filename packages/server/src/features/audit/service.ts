import type { Platform } from "../../engines/platform.ts";
import type { AuditEntry } from "../../kernel/pipeline.ts";
import { type AuditFilter, insertEntry, selectEntries } from "./store.ts";

export interface AuditService {
  /** Writes one entry; it is durable when the promise resolves. */
  record(entry: AuditEntry): Promise<void>;
  list(
    appId: string,
    filter: AuditFilter,
    limit: number,
    offset: number,
  ): Promise<{ logs: Record<string, unknown>[]; total: number }>;
}

export function createAuditService({ database }: Platform): AuditService {
  return {
    record: (entry) => insertEntry(database, entry),
    list: (appId, filter, limit, offset) => selectEntries(database, appId, filter, limit, offset),
  };
}
