import type { Database } from "../../../engines/postgres/database.ts";
import type { Transaction } from "../../../engines/postgres/replication/transactions.ts";
import { systemClock } from "../../../kernel/clock.ts";
import { newUuid } from "../../../kernel/ids.ts";
import { createLog } from "../../../kernel/log.ts";
import { Metrics } from "../../../kernel/metrics.ts";
import { Reader, type ReaderOptions } from "../reader.ts";

/** A node's reader with everything it has handed over. */
export class TestReader {
  readonly reader: Reader;
  readonly nodeId = newUuid().slice(0, 8);
  readonly transactions: Transaction[] = [];
  gaps = 0;

  constructor(database: Database, options: Partial<ReaderOptions> = {}) {
    this.reader = new Reader({
      ...{ database, log: createLog("silent"), clock: systemClock, nodeId: this.nodeId },
      ...{ metrics: new Metrics(), windowMs: 600_000, windowWalBytes: 256 * 1024 * 1024 },
      windowMemoryBytes: 64 * 1024 * 1024,
      graceMs: 0,
      publications: () => [],
      prepare: async () => {},
      onTransaction: (transaction) => void this.transactions.push(transaction),
      onGap: () => {
        this.gaps += 1;
      },
      onStreaming: () => {},
      onAwake: async () => {},
      onLook: () => {},
      onCheck: async () => {},
      ...options,
    });
  }

  /** First column of the rows inserted into a table of this name, in the order they were handed over. */
  inserted(table: string): string[] {
    return firstColumns(this.transactions, table);
  }

  /** The same of what the window holds of a schema since a place. */
  held(schema: string, table: string, after: bigint): string[] | null {
    const found = this.reader.window.since(schema, after);
    return found === null ? null : firstColumns(found, table);
  }
}

function firstColumns(transactions: readonly Transaction[], table: string): string[] {
  return transactions.flatMap(({ events }) =>
    events.flatMap((event) =>
      event.kind === "insert" && event.relation.table === table ? [String(event.new[0])] : [],
    ),
  );
}

/** Resolves once `done` is true; it is asked every few milliseconds. */
export async function until(
  done: () => boolean | Promise<boolean>,
  what: string,
  ms = 15_000,
): Promise<void> {
  const deadline = Date.now() + ms;
  while (!(await done())) {
    if (Date.now() > deadline) throw new Error(`Not in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
