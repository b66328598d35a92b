import type { Platform } from "../../../engines/platform.ts";
import type { AnyOperation } from "../../../kernel/operation.ts";
import type { KeyPrincipal } from "../../../kernel/principal.ts";
import { createTicker } from "../../../kernel/ticker.ts";
import { memoryOperations } from "../operations.ts";
import type { MemoryReader } from "../types.ts";
import { memoryReadErrors } from "./errors.ts";
import { limits } from "./limits.ts";
import { listRecords } from "./listing.ts";
import type { MemoryReads } from "./reads.ts";
import { countRecords, getRecord } from "./records.ts";
import { countWords } from "./vocabulary.ts";
import { createReads } from "./wire.ts";

/** What a feature is told of reading. */
export interface MemoryReading extends MemoryReads {
  readonly operations: readonly AnyOperation[];
  readonly errors: typeof memoryReadErrors.entries;
  /** Begins to count the words of what is written, for searches to go by. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** Everything that reads the memory; `readerOf` says what a key may see. */
export function createMemoryReads(
  platform: Platform,
  { readerOf }: { readerOf(key: KeyPrincipal): Promise<MemoryReader> },
): MemoryReading {
  const { database, log } = platform;
  const counting = createTicker({
    name: "memory words",
    everyMs: limits.countEveryMs,
    log,
    run: () => countWords(database),
  });
  return {
    list(reader, { kinds, subtype, entityId, limit, before, ...filter }) {
      const wanted = [...new Set(kinds)].map((kind) => ({ kind, subtype: subtype ?? null }));
      const about = entityId === undefined ? undefined : { id: entityId, field: null };
      return listRecords(database, reader, { ...filter, wanted, about }, { limit, before });
    },
    get: (reader, id, asOf = null) => getRecord(database, reader, id, asOf),
    counts: countRecords,
    operations: memoryOperations(createReads(platform), readerOf),
    errors: memoryReadErrors.entries,
    start: async () => counting.start(),
    stop: () => counting.stop(),
  };
}
