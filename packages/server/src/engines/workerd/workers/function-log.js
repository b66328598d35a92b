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
import { add, count, FLUSH_MS, take } from "./tail-batch.js";
import { name as unit } from "./unit.js";

/**
 * Logs of a function, taken in its own isolate: workerd's tail would cost every request half as much again as the
 * request itself. Lines find their request through the asynchronous context they were written in.
 */

/** A request that goes on for longer tells its lines before its end. */
const MAX_WAIT_MS = 2_000;
/** A flush that is this late died with the request that carried it. */
const FLUSH_LOST_MS = 5_000;

const current = new AsyncLocalStorage();
/** Runs with something to tell. */
let pending = new Set();
let flushSinceMs = 0;

/** One request, from its beginning to its end. */
class Run {
  lines = [];
  omitted = 0;
  exceptions = [];
  status = null;
  startedAtMs = Date.now();
  about = undefined;

  constructor(request, execution) {
    this.request = request;
    this.execution = execution;
  }
}

/** Runs `work(...args)` so that what it logs is known to be of this request. */
export function record(request, execution, work, context) {
  return current.run(new Run(request, execution), work, request, context);
}

/** The request is answered; what it still logs comes in an event of its own. */
export function answered(status, failed) {
  const run = current.getStore();
  run.status = status;
  count(unit, "fetch", failed ? "exception" : "ok");
  schedule(run.execution);
}

export function thrown(error) {
  const run = current.getStore();
  if (run === undefined || run.exceptions.length >= MAX_EXCEPTIONS) return;
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
    const run = current.getStore();
    if (run === undefined) return original.apply(console, values);
    if (run.lines.length >= MAX_LINES) run.omitted++;
    else
      run.lines.push({ level, message: cut(values.map(text).join(" "), MAX_LINE_CHARS), atMs: Date.now() });
    tell(run);
  };
}

addEventListener("unhandledrejection", (event) => thrown(event.reason));

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

/** What is known of the request is read now: at the flush another request runs. */
function tell(run) {
  run.about ??= {
    requestId: run.request.headers.get("x-request-id"),
    method: run.request.method,
    path: pathOf(run.request.url),
  };
  pending.add(run);
  schedule(run.execution);
}

function schedule(execution) {
  const now = Date.now();
  if (now - flushSinceMs < FLUSH_LOST_MS) return;
  flushSinceMs = now;
  execution.waitUntil(flushLater());
}

async function flushLater() {
  await new Promise((resolve) => setTimeout(resolve, FLUSH_MS));
  flushSinceMs = 0;
  const late = Date.now() - MAX_WAIT_MS;
  const told = pending;
  pending = new Set();
  for (const run of told) {
    if (run.status !== null || run.startedAtMs < late) add(eventOf(run));
    else pending.add(run);
  }
  try {
    await receiveLogs(take());
  } catch {
    // Ambit is gone or starts again; logs are no reason to fail.
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
    event: "fetch",
    outcome: exceptions.length > 0 ? "exception" : "ok",
    atMs: run.startedAtMs,
    ...about,
    status: run.status,
    actorId: null,
    lines,
    exceptions,
  };
}
