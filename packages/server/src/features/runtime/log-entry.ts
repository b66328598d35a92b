import { randomBytes } from "node:crypto";
import type { LogLine, Outcome, ProgramKind, TailEvent } from "../../engines/workerd/types.ts";
import { limits } from "./limits.ts";
import { failed, outcomeWord, tailFailed } from "./outcome.ts";
import type { Invocation, LogEntry, LogError } from "./types.ts";

/** A request that has been answered, with what its run said, as far as known. */
export interface Answered {
  readonly invocation: Invocation;
  readonly outcome: Outcome;
  readonly events: TailEvent[];
}

const NODE = randomBytes(3).toString("hex");
let made = 0;

/** An id that sorts by time, and within a millisecond by order. */
function newLogId(atMs: number): string {
  made = (made + 1) % 36 ** 4;
  return `${atMs.toString(36).padStart(9, "0")}${made.toString(36).padStart(4, "0")}${NODE}`;
}

/** Every call of a function is an entry; of actors those that said something or failed. Pure. */
export function isWorthAnEntry({ invocation, outcome, events }: Answered): boolean {
  return invocation.kind === "functions" || events.length > 0 || failed(outcome);
}

export function hasFailed({ outcome, events }: Answered): boolean {
  return failed(outcome) || events.some(tailFailed);
}

/** The entry of an answered request. Stacks are still those of the emitted JavaScript. */
export function entryOfRequest({ invocation, outcome, events }: Answered): LogEntry {
  const word = outcomeWord(outcome);
  return {
    id: newLogId(invocation.startedAtMs),
    atMs: invocation.startedAtMs,
    appId: invocation.appId,
    kind: invocation.kind,
    unit: invocation.unit,
    event: "fetch",
    trigger: invocation.trigger,
    requestId: invocation.requestId,
    method: invocation.method,
    path: clip(invocation.path, limits.pathChars),
    status: outcome.status,
    durationMs: Math.round(outcome.durationMs * 10) / 10,
    outcome: outcome.end === "answered" ? (tailWord(events) ?? word) : word,
    error: errorOf(events),
    lines: clipLines(events.flatMap((event) => event.lines)),
    actorId: events[0]?.actorId ?? null,
  };
}

/** What a batch calls a failure. A function's exception is answered by Ambit, and its run may be called `ok`. */
function tailWord(events: readonly TailEvent[]): string | undefined {
  const event = events.find(tailFailed);
  return event?.outcome === "ok" ? "exception" : event?.outcome;
}

/** The entry of a run that no request of the door belongs to: alarms, socket messages, calls between actors. */
export function entryOfRun(appId: string, kind: ProgramKind, event: TailEvent): LogEntry {
  return {
    id: newLogId(event.atMs),
    atMs: event.atMs,
    appId,
    kind,
    unit: event.unit,
    event: event.event,
    trigger: null,
    requestId: event.requestId,
    method: event.method,
    path: event.path === null ? null : clip(event.path, limits.pathChars),
    status: event.status,
    durationMs: null,
    outcome: tailWord([event]) ?? event.outcome,
    error: errorOf([event]),
    lines: clipLines(event.lines),
    actorId: event.actorId,
  };
}

/** The entry of something that happened to a whole program. */
export function entryOfProgram(
  appId: string,
  kind: ProgramKind,
  about: Pick<LogEntry, "atMs" | "event" | "outcome" | "error" | "lines">,
): LogEntry {
  const none = { trigger: null, requestId: null, method: null, path: null, status: null, durationMs: null };
  return { id: newLogId(about.atMs), appId, kind, unit: "", ...none, actorId: null, ...about };
}

/** Whether readers who ask for errors see it. Pure. */
export function isFailure(entry: LogEntry): boolean {
  if (entry.event === "process" || entry.error !== null || (entry.status ?? 0) >= 500) return true;
  return (
    entry.outcome === "timeout" || entry.outcome === "process_lost" || entry.outcome.startsWith("exceeded")
  );
}

function errorOf(events: readonly TailEvent[]): LogError | null {
  const thrown = events.flatMap((event) => event.exceptions)[0];
  if (thrown === undefined) return null;
  return {
    name: clip(thrown.name, limits.pathChars),
    message: clip(thrown.message, limits.messageChars),
    stack: thrown.stack === null ? null : clip(thrown.stack, limits.stackChars),
  };
}

/** The lines that fit, and how many did not. */
function clipLines(lines: readonly LogLine[]): LogLine[] {
  const kept: LogLine[] = [];
  let left: number = limits.lineChars;
  for (const line of lines) {
    if (kept.length === limits.linesPerEntry || left <= 0) {
      const message = `… ${lines.length - kept.length} more lines were left out`;
      return [...kept, { level: "warn", message, atMs: line.atMs }];
    }
    kept.push({ level: line.level, message: clip(line.message, left), atMs: line.atMs });
    left -= line.message.length;
  }
  return kept;
}

/** Text as Postgres takes it: no null characters, no halves of surrogate pairs. */
export function clip(text: string, chars: number): string {
  const short = text.length > chars ? `${text.slice(0, chars)}…` : text;
  return short.replaceAll("\0", "\ufffd").toWellFormed();
}
