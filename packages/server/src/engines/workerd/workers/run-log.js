import { AsyncLocalStorage } from "node:async_hooks";
import { receiveLogs } from "./callbacks.js";
import {
  cut,
  exceptionOf,
  MAX_EXCEPTIONS,
  MAX_LINE_CHARS,
  MAX_LINES,
  omitted,
  pathOf,
  withoutOurs,
} from "./log-text.js";
import { add, count, drop, FLUSH_MS, take } from "./tail-batch.js";
import { name as unit } from "./unit.js";

/**
 * Logs of a unit, taken in its own isolate: workerd's tail would cost every request half as much again as the request
 * itself. Lines find their run through the asynchronous context they were written in.
 */

/** A run that goes on for longer tells its lines before its end. */
const MAX_WAIT_MS = 2_000;
/** A flush that is this late died with the run that carried it. */
const FLUSH_LOST_MS = 5_000;
/** Runs with something to tell that wait for a flush. */
const MAX_PENDING = 500;

export const current = new AsyncLocalStorage();
let pending = new Set();
let flushSinceMs = 0;

/** One run of user code, from its beginning to its end. */
export class Run {
  lines = [];
  omitted = 0;
  exceptions = [];
  status = null;
  over = false;
  startedAtMs = Date.now();
  about = undefined;

  /**
   * @param {"fetch" | "alarm" | "websocket" | "rpc" | "other"} event
   * @param {{ waitUntil(promise: Promise<unknown>): void, id?: unknown } | undefined} carrier keeps a flush alive; of an actor also its id
   * @param {Request | null} request
   * @param {string | null} method what was called, where there is no request
   */
  constructor(event, carrier, request, method = null) {
    this.event = event;
    this.carrier = carrier;
    this.request = request;
    this.method = method;
  }
}

/** The run is over; what it still logs comes in an event of its own. */
export function end(run, status, failed) {
  run.status = status;
  run.over = true;
  count(unit, run.event, failed ? "exception" : "ok");
  schedule(run.carrier);
}

/** Notes what the run threw. */
export function thrownIn(run, error) {
  if (run.exceptions.length >= MAX_EXCEPTIONS) return;
  run.exceptions.push(readException(error, Date.now()));
  tell(run);
}

/** Anything can be thrown, also what throws when looked at. */
function readException(error, atMs) {
  try {
    if (error instanceof Error) return exceptionOf(error.name, error.message, framesOf(error.stack), atMs);
  } catch {
    return exceptionOf("Error", "An error that can't be read.", null, atMs);
  }
  return exceptionOf("Error", text(error), null, atMs);
}

/** A stack without what stands before its first frame: name and message are told apart. */
function framesOf(stack) {
  const start = typeof stack === "string" ? stack.search(/^\s+at /m) : -1;
  return start < 0 ? null : stack.slice(start);
}

for (const level of ["debug", "info", "log", "warn", "error"]) {
  const original = console[level];
  console[level] = (...values) => {
    const run = current.getStore() ?? stray();
    if (run === null) return original.apply(console, values);
    if (run.lines.length >= MAX_LINES) run.omitted++;
    else
      run.lines.push({ level, message: cut(values.map(text).join(" "), MAX_LINE_CHARS), atMs: Date.now() });
    tell(run);
  };
}

addEventListener("unhandledrejection", (event) => {
  const run = current.getStore() ?? stray();
  if (run !== null) thrownIn(run, event.reason);
});

/** What is said outside of any run; null while modules are loaded, when nothing can be sent. */
function stray() {
  if (Date.now() === 0) return null;
  const run = new Run("other", undefined, null);
  run.over = true;
  return run;
}

function text(value) {
  if (typeof value === "string") return value;
  try {
    if (value instanceof Error) return withoutOurs(value.stack || String(value));
    if (typeof value !== "object" || value === null)
      return typeof value === "bigint" ? `${value}n` : String(value);
    return JSON.stringify(value, plain) ?? String(value);
  } catch {
    return Object.prototype.toString.call(value);
  }
}

/** What JSON would leave out or stumble over. */
function plain(_key, value) {
  if (typeof value === "bigint") return `${value}n`;
  if (value instanceof Error) return value.stack || String(value);
  if (value instanceof Map) return Object.fromEntries(value);
  return value instanceof Set ? [...value] : value;
}

/** What is known of the run is read now: at the flush another one runs. */
function tell(run) {
  if (pending.size >= MAX_PENDING && !pending.has(run)) return drop(unit);
  run.about ??= aboutOf(run);
  pending.add(run);
  schedule(run.carrier);
}

export function aboutOf({ event, request, method, carrier }) {
  return {
    event,
    requestId: request?.headers.get("x-request-id") ?? null,
    method: request?.method ?? method,
    path: request ? pathOf(request.url) : null,
    actorId: carrier?.id?.toString() ?? null,
  };
}

/** Sees to it that there is a flush soon. */
export function schedule(carrier) {
  const now = Date.now();
  if (now - flushSinceMs < FLUSH_LOST_MS) return;
  flushSinceMs = now;
  const flushed = flushLater(carrier);
  carrier?.waitUntil(flushed);
}

async function flushLater(carrier) {
  try {
    await new Promise((resolve) => setTimeout(resolve, FLUSH_MS));
    flushSinceMs = 0;
    const late = Date.now() - MAX_WAIT_MS;
    const told = pending;
    pending = new Set();
    for (const run of told) {
      if (run.over || run.startedAtMs < late) add(eventOf(run));
      else pending.add(run);
    }
    await receiveLogs(take());
    if (pending.size > 0) schedule(carrier);
  } catch {
    // Ambit is gone or starts again, or modules are still being loaded; logs are no reason to fail.
    flushSinceMs = 0;
  }
}

function eventOf(run) {
  const { about, lines, exceptions } = run;
  if (run.omitted > 0) lines.push(omitted(run.omitted, lines.at(-1).atMs));
  run.lines = [];
  run.exceptions = [];
  run.omitted = 0;
  return {
    unit,
    outcome: exceptions.length > 0 ? "exception" : "ok",
    atMs: run.startedAtMs,
    ...about,
    status: run.status,
    lines,
    exceptions,
  };
}
