import type { Database } from "../../engines/postgres/database.ts";
import type { Outcome, ProgramKind, TailEvent } from "../../engines/workerd/types.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import { limits } from "./limits.ts";
import { entryOfProgram, entryOfRequest, entryOfRun, hasFailed, isWorthAnEntry } from "./log-entry.ts";
import { createLogJoin } from "./log-join.ts";
import { createRates } from "./log-rate.ts";
import { createLogWriter } from "./log-writer.ts";
import type { RuntimeMetrics } from "./metrics.ts";
import { tailFailed } from "./outcome.ts";
import { createSourceMaps } from "./source-maps.ts";
import { selectLogs } from "./store.ts";
import type { Invocation, LogEntry, LogQuery, ProgramSource } from "./types.ts";

export interface Logs {
  /** A request was answered. Cheap: what it amounts to is seen to later. */
  answered(invocation: Invocation, outcome: Outcome): void;
  /** What a run said. */
  said(appId: string, kind: ProgramKind, event: TailEvent): void;
  /** Something about a whole program; always kept. */
  program(
    appId: string,
    kind: ProgramKind,
    about: Pick<LogEntry, "atMs" | "event" | "outcome" | "error" | "lines">,
  ): void;
  /** Waits for what requests answered by now have said (up to half a second), then reads. */
  read(query: LogQuery): Promise<{ entries: LogEntry[]; hasMore: boolean }>;
  listen(listener: (appId: string, entry: LogEntry) => void): () => void;
  prune(): Promise<void>;
  /** Everything made so far is in the database when it resolves. */
  flush(): Promise<void>;
  stop(): void;
  forget(appId: string): void;
}

export interface LogsOptions {
  readonly database: Database;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: RuntimeMetrics;
  isRunning(requestId: string): boolean;
  sourceOf(kind: ProgramKind): ProgramSource | undefined;
}

export function createLogs(options: LogsOptions): Logs {
  const { database, clock, log, metrics } = options;
  const writer = createLogWriter(database, clock, log, metrics);
  const maps = createSourceMaps(options.sourceOf);
  const listeners = new Set<(appId: string, entry: LogEntry) => void>();
  const mapping = new Set<Promise<void>>();

  const publish = (entry: LogEntry) => {
    writer.add(entry);
    for (const listener of listeners) {
      try {
        listener(entry.appId, entry);
      } catch (error) {
        log.error({ err: error }, "a reader of the live log failed");
      }
    }
  };
  const emit = (entry: LogEntry) => {
    if (!maps.concerns(entry)) return publish(entry);
    const work: Promise<void> = maps.map(entry).then((mapped) => {
      mapping.delete(work);
      publish(mapped);
    });
    mapping.add(work);
  };
  const rates = createRates(clock, (appId, kind, dropped) => {
    metrics.dropped(dropped);
    const atMs = clock();
    const message = `${dropped} entries were left out: more than ${limits.entriesPerSecond} a second.`;
    const lines = [{ level: "warn" as const, message, atMs }];
    publish(entryOfProgram(appId, kind, { atMs, event: "notice", outcome: "ok", error: null, lines }));
  });
  const join = createLogJoin(clock, options.isRunning, {
    request(answered) {
      if (!isWorthAnEntry(answered)) return;
      const { appId, kind } = answered.invocation;
      if (rates.hasTurn(appId, kind, hasFailed(answered))) emit(entryOfRequest(answered));
    },
    run(appId, kind, event) {
      if (rates.hasTurn(appId, kind, tailFailed(event))) emit(entryOfRun(appId, kind, event));
    },
  });
  const flush = async () => {
    await Promise.all(mapping);
    await writer.flush();
  };
  return {
    answered: join.answered,
    said: join.said,
    program: (appId, kind, about) => emit(entryOfProgram(appId, kind, about)),
    async read(query) {
      await join.settled();
      await flush();
      const entries = await selectLogs(database, { ...query, limit: query.limit + 1 });
      return { entries: entries.slice(0, query.limit), hasMore: entries.length > query.limit };
    },
    listen(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    prune: () => writer.prune(),
    async flush() {
      join.drain();
      rates.flush();
      await flush();
    },
    stop() {
      rates.stop();
      writer.stop();
    },
    forget: (appId) => rates.forget(appId),
  };
}
