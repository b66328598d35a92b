import type { Platform } from "../../engines/platform.ts";
import { createTicker } from "../../kernel/ticker.ts";
import { limits } from "./limits.ts";
import { touchGrants } from "./store.ts";

/** When grants were used last: noted in memory, written later. */
export interface LastUsed {
  /** Costs nothing to speak of. */
  note(grantId: string, nowMs: number): void;
  /** Writes what is due. */
  flush(): Promise<void>;
  start(): void;
  /** Writes what is left, and ends. */
  stop(): Promise<void>;
}

/** Each grant's use is written at most once in `lastUsedEveryMs`, and shows after `lastUsedTickMs` at first. */
export function createLastUsed({ database, log, clock }: Platform): LastUsed {
  const due = new Map<string, number>();
  const writtenAtMs = new Map<string, number>();

  const flush = async () => {
    const now = clock();
    for (const [id, at] of writtenAtMs) if (now - at >= limits.lastUsedEveryMs) writtenAtMs.delete(id);
    while (due.size > 0) {
      const uses = [...due].slice(0, limits.lastUsedRows);
      for (const [id] of uses) due.delete(id);
      for (const { id, last_used_at } of await touchGrants(database, uses))
        writtenAtMs.set(id, last_used_at.getTime());
    }
  };
  const ticker = createTicker({
    ...{ name: "gateway.grants.last_used", everyMs: limits.lastUsedTickMs, log },
    run: flush,
  });
  return {
    note(grantId, nowMs) {
      const before = writtenAtMs.get(grantId);
      if (before === undefined || nowMs - before >= limits.lastUsedEveryMs) due.set(grantId, nowMs);
    },
    flush,
    start: () => ticker.start(),
    async stop() {
      await ticker.stop();
      await flush().catch((error) => log.warn({ err: error }, "last uses of grants were not written"));
    },
  };
}
