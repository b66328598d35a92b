import { randomBytes } from "node:crypto";
import type { Platform } from "../../engines/platform.ts";
import type { Transaction } from "../../engines/postgres/database.ts";
import { AmbitError, errors } from "../../kernel/errors.ts";
import { createEntryIds } from "./entry-ids.ts";
import { ledgerErrors } from "./errors.ts";
import { createGroupCommit } from "./group-commit.ts";
import { limits } from "./limits.ts";
import type { LedgerMetrics } from "./metrics.ts";
import { type PreparedEntry, prepareEntry } from "./prepare.ts";
import { insertEntries } from "./store.ts";
import type { LedgerDraft } from "./types.ts";

/** The two ways into the ledger; see `LedgerService`. */
export interface Writers {
  append(tx: Transaction, draft: LedgerDraft): string;
  record(draft: LedgerDraft): Promise<string>;
  /** Resolves when every entry that `record` was given is written or refused. */
  settled(): Promise<void>;
}

export function createWriters(platform: Platform, metrics: LedgerMetrics): Writers {
  const { database, clock, log } = platform;
  const nextId = createEntryIds();
  const prepare = (draft: LedgerDraft): PreparedEntry => {
    const nowMs = clock();
    try {
      return prepareEntry(draft, { id: nextId(nowMs), nowMs, randomBytes });
    } catch (error) {
      const tooLarge = error instanceof AmbitError && error.code === "LEDGER_ENTRY_TOO_LARGE";
      if (tooLarge) platform.metrics.limitsHit.inc({ limit: "ledger_entry_bytes" });
      throw error;
    }
  };

  /** What is to be written at the end of each transaction under way. */
  const ready = new WeakMap<Transaction, PreparedEntry[]>();
  const append = (tx: Transaction, draft: LedgerDraft): string => {
    const entry = prepare(draft);
    // An entry of a part that is undone (a savepoint) takes its turn here with it. The insert asks for a turn only when
    // the turns of those that stay have begun, and so comes after all of them.
    tx.beforeCommit(async () => {
      const waiting = ready.get(tx);
      if (waiting !== undefined) {
        waiting.push(entry);
        return;
      }
      const together = [entry];
      ready.set(tx, together);
      tx.beforeCommit(async (last) => {
        ready.delete(tx);
        await insertEntries(last, together);
        metrics.appended.inc(together.length);
      });
    });
    return entry.id;
  };

  const group = createGroupCommit<PreparedEntry>({
    limits,
    bytesOf: ({ bytes }) => bytes,
    full(limit) {
      platform.metrics.limitsHit.inc({ limit: `ledger_queue_${limit}` });
      return ledgerErrors.LEDGER_BUSY({ headers: { "Retry-After": "1" } });
    },
    async write(batch) {
      try {
        await insertEntries(database, batch);
      } catch (error) {
        log.error({ err: error, entries: batch.length }, "entries could not be written to the ledger");
        throw errors.DATABASE_UNAVAILABLE({ cause: error, headers: { "Retry-After": "1" } });
      }
      metrics.appended.inc(batch.length);
    },
  });

  return {
    append,
    async record(draft) {
      const entry = prepare(draft);
      await group.add(entry);
      return entry.id;
    },
    settled: () => group.settled(),
  };
}
