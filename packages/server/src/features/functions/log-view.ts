import type { LogEntry } from "../runtime/service.ts";

/** A log entry as clients read it. */
export interface LogView {
  readonly timestamp: string;
  readonly request_id: string | null;
  readonly function: string;
  readonly trigger: string | null;
  readonly method: string | null;
  readonly path: string | null;
  readonly statusCode: number | null;
  readonly duration: number | null;
  /** Memory is measured per app, not per call. */
  readonly memoryUsed: null;
  readonly outcome: string;
  readonly error: string | null;
  readonly stack: string | null;
  readonly consoleLogs: { level: string; message: string; timestamp: string }[];
}

/** Pure. */
export function logView(entry: LogEntry): LogView {
  const { error } = entry;
  return {
    timestamp: new Date(entry.atMs).toISOString(),
    request_id: entry.requestId,
    function: entry.unit,
    trigger: entry.trigger,
    method: entry.method,
    path: entry.path,
    statusCode: entry.status,
    duration: entry.durationMs,
    memoryUsed: null,
    outcome: entry.outcome,
    error: error === null ? null : `${error.name === "" ? "" : `${error.name}: `}${error.message}`,
    stack: error?.stack ?? null,
    consoleLogs: entry.lines.map(({ level, message, atMs }) => ({
      level,
      message,
      timestamp: new Date(atMs).toISOString(),
    })),
  };
}
