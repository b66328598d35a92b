import type { LogLine, TailBatch, TailEvent } from "../types.ts";
import { limits } from "./limits.ts";

/** A batch that is not what our JavaScript in the process writes. */
export class TailError extends Error {
  constructor(message: string) {
    super(`Not a tail batch: ${message}`);
    this.name = "TailError";
  }
}

const EVENTS: ReadonlySet<string> = new Set(["fetch", "alarm", "websocket", "rpc", "other"]);
const LEVELS: ReadonlySet<string> = new Set(["debug", "info", "log", "warn", "error"]);

/**
 * Reads what a process posts to `tail.sock`. The process runs user code, so nothing in it is believed: shapes are
 * checked, numbers and texts bounded, and every object is made anew. Throws a TailError on nonsense.
 */
export function readTailBatch(body: Buffer): TailBatch {
  if (body.length > limits.batchBytes) throw new TailError("it is too large.");
  const batch = record(parseJson(body), "it");
  return {
    events: list(batch.events, limits.events, "events").map(readEvent),
    runs: list(batch.runs, limits.runs, "runs").map(readRun),
  };
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    throw new TailError("it is no JSON.");
  }
}

function readRun(value: unknown): TailBatch["runs"][number] {
  const run = record(value, "a run");
  return {
    unit: text(run.unit, limits.nameChars, "unit"),
    event: eventName(run.event),
    outcome: text(run.outcome, limits.nameChars, "outcome"),
    count: whole(run.count, limits.runCount, "count"),
  };
}

function readEvent(value: unknown): TailEvent {
  const event = record(value, "an event");
  return {
    unit: text(event.unit, limits.nameChars, "unit"),
    event: eventName(event.event),
    outcome: text(event.outcome, limits.nameChars, "outcome"),
    atMs: time(event.atMs),
    requestId: textOrNull(event.requestId, limits.nameChars, "requestId"),
    method: textOrNull(event.method, limits.nameChars, "method"),
    path: textOrNull(event.path, limits.pathChars, "path"),
    status: event.status === null ? null : whole(event.status, 999, "status"),
    actorId: actorId(event.actorId),
    lines: list(event.lines, limits.linesPerEvent, "lines").map(readLine),
    exceptions: list(event.exceptions, limits.exceptionsPerEvent, "exceptions").map(readException),
  };
}

function readLine(value: unknown): LogLine {
  const line = record(value, "a line");
  // A level workerd may add one day is no reason to lose the batch.
  const level = LEVELS.has(line.level as string) ? (line.level as LogLine["level"]) : "log";
  return { level, message: text(line.message, limits.lineChars, "message"), atMs: time(line.atMs) };
}

function readException(value: unknown): TailEvent["exceptions"][number] {
  const thrown = record(value, "an exception");
  return {
    name: text(thrown.name, limits.nameChars, "name"),
    message: text(thrown.message, limits.lineChars, "message"),
    stack: textOrNull(thrown.stack, limits.stackChars, "stack"),
    atMs: time(thrown.atMs),
  };
}

function record(value: unknown, what: string): Record<string, unknown> {
  if (typeof value === "object" && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw new TailError(`${what} is no object.`);
}

function list(value: unknown, most: number, what: string): unknown[] {
  if (Array.isArray(value) && value.length <= most) return value;
  throw new TailError(`${what} is no list of at most ${most}.`);
}

/** Cuts long texts. Postgres stores no NUL and no half of a surrogate pair. */
function text(value: unknown, chars: number, what: string): string {
  if (typeof value !== "string") throw new TailError(`${what} is no text.`);
  return value.slice(0, chars).toWellFormed().replaceAll("\0", "\ufffd");
}

function textOrNull(value: unknown, chars: number, what: string): string | null {
  return value === null ? null : text(value, chars, what);
}

function whole(value: unknown, most: number, what: string): number {
  if (Number.isInteger(value) && (value as number) >= 0 && (value as number) <= most) return value as number;
  throw new TailError(`${what} is no whole number up to ${most}.`);
}

/** Milliseconds since 1970, within what a Date can hold. */
function time(value: unknown): number {
  if (typeof value === "number" && value >= 0 && value <= 8.64e15) return Math.floor(value);
  throw new TailError("a time is no time.");
}

function actorId(value: unknown): string | null {
  if (value === null) return null;
  if (typeof value === "string" && /^[0-9a-f]{64}$/.test(value)) return value;
  throw new TailError("actorId is no id.");
}

function eventName(value: unknown): TailEvent["event"] {
  if (EVENTS.has(value as string)) return value as TailEvent["event"];
  throw new TailError("event is unknown.");
}
