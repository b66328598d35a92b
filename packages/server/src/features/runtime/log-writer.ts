import type { Database } from "../../engines/postgres/database.ts";
import type { ProgramKind } from "../../engines/workerd/types.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import { limits } from "./limits.ts";
import { isFailure } from "./log-entry.ts";
import type { RuntimeMetrics } from "./metrics.ts";
import { deleteOldLogs, deleteSurplusLogs, insertLogs, type LogRow } from "./store.ts";
import type { LogEntry } from "./types.ts";

/** Takes entries at once and writes them soon, many at a time. */
export interface LogWriter {
  add(entry: LogEntry): void;
  /** What was added before is in the database when the promise resolves; rejects, and keeps it, when that fails. */
  flush(): Promise<void>;
  /** Removes what is older or more than is kept. Runs by itself while entries are written. */
  prune(): Promise<void>;
  stop(): void;
}

export function createLogWriter(
  database: Database,
  clock: Clock,
  log: Log,
  metrics: RuntimeMetrics,
): LogWriter {
  const queue: LogEntry[] = [];
  const written = new Map<string, { appId: string; kind: ProgramKind }>();
  let timer: NodeJS.Timeout | null = null;
  let pruning: NodeJS.Timeout | null = null;
  let writing: Promise<void> = Promise.resolve();

  const wake = () => {
    timer ??= setTimeout(() => {
      flush().catch((error) => {
        log.warn({ error: String(error), waiting: queue.length }, "log entries could not be written yet");
        wake();
      });
    }, limits.logWriteMs).unref();
  };
  const write = async () => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    while (queue.length > 0) {
      const batch = queue.slice(0, limits.logBatch);
      await insertLogs(database, batch.map(rowOf));
      // Entries may have been dropped from the front meanwhile.
      const last = batch.at(-1)!;
      queue.splice(0, queue.indexOf(last) + 1);
      metrics.logged(batch.length);
      for (const { appId, kind } of batch) written.set(`${appId}/${kind}`, { appId, kind });
    }
    if (written.size > 0) {
      pruning ??= setTimeout(() => {
        pruning = null;
        prune().catch((error) => log.warn({ error: String(error) }, "old log entries were not removed"));
      }, limits.pruneMs).unref();
    }
  };
  const flush = () => {
    writing = writing.catch(() => {}).then(write);
    return writing;
  };
  const prune = async () => {
    const programs = [...written.values()];
    written.clear();
    await deleteOldLogs(database, new Date(clock() - limits.logDays * 86_400_000));
    for (const { appId, kind } of programs) {
      await deleteSurplusLogs(database, appId, kind, limits.entriesPerProgram);
    }
  };
  return {
    add(entry) {
      queue.push(entry);
      if (queue.length > limits.logQueue) {
        queue.shift();
        metrics.dropped(1);
      }
      wake();
    },
    flush,
    prune,
    stop() {
      for (const each of [timer, pruning]) if (each !== null) clearTimeout(each);
    },
  };
}

function rowOf(entry: LogEntry): LogRow {
  return {
    id: entry.id,
    app_id: entry.appId,
    kind: entry.kind,
    unit: entry.unit,
    at: new Date(entry.atMs).toISOString(),
    failed: isFailure(entry),
    request_id: entry.requestId,
    entry,
  };
}
