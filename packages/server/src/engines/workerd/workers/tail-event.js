import { cut, exceptionOf, MAX_EXCEPTIONS, MAX_LINE_CHARS, MAX_LINES, omitted, pathOf } from "./log-text.js";
import { add, count } from "./tail-batch.js";

/** Ends that are nobody's failure: the caller left. */
const HARMLESS = new Set(["ok", "canceled", "responseStreamDisconnected"]);

/** Takes one run as workerd's tail tells it: counts it, and adds it to the batch if it logged something or failed. */
export function receive(unit, item) {
  const { outcome, event: trigger, logs, exceptions } = item;
  const kind = kindOf(trigger);
  const request = kind === "fetch" ? trigger.request : undefined;
  if (request !== undefined && isInspection(request)) return;
  // A failed `waitUntil` alone leaves the outcome "ok".
  const end = exceptions.length > 0 && outcome === "ok" ? "exception" : outcome;
  count(unit, kind, end);
  if (logs.length === 0 && exceptions.length === 0 && HARMLESS.has(outcome)) return;
  add({
    unit,
    event: kind,
    outcome: end,
    atMs: item.eventTimestamp ?? Date.now(),
    requestId: request?.headers["x-request-id"] ?? null,
    method: request?.method ?? trigger?.rpcMethod ?? trigger?.getWebSocketEvent?.webSocketEventType ?? null,
    path: request === undefined ? null : pathOf(request.url),
    status: trigger?.response?.status ?? null,
    actorId: item.durableObjectId ?? null,
    lines: linesOf(logs),
    exceptions: exceptions
      .slice(0, MAX_EXCEPTIONS)
      .map((thrown) => exceptionOf(thrown.name, thrown.message, thrown.stack, thrown.timestamp)),
  });
}

/** Ambit looking into an instance is no run of the user's. */
function isInspection(request) {
  return request.method === "REPORT" && request.url === "https://ambit.internal/inspect";
}

function kindOf(trigger) {
  if (trigger === null || trigger === undefined) return "other";
  if (trigger.request !== undefined) return "fetch";
  if (trigger.getWebSocketEvent !== undefined) return "websocket";
  if (trigger.rpcMethod !== undefined) return "rpc";
  if (trigger.scheduledTime !== undefined) return "alarm";
  return "other";
}

function linesOf(logs) {
  const lines = logs.slice(0, MAX_LINES).map((line) => ({
    level: line.level,
    message: cut(messageOf(line), MAX_LINE_CHARS),
    atMs: line.timestamp,
  }));
  if (logs.length > MAX_LINES) lines.push(omitted(logs.length - MAX_LINES, logs[MAX_LINES].timestamp));
  return lines;
}

/** Strings as they are, the rest as JSON, with the stacks of errors below. */
function messageOf(line) {
  const values = Array.isArray(line.message) ? line.message : [line.message];
  const stacks = (line.errorInfo ?? []).map((error) => error?.stack).filter(Boolean);
  return [values.map(textOf).join(" "), ...stacks].join("\n");
}

function textOf(value) {
  if (typeof value === "string") return value;
  if (value === undefined) return "undefined";
  return JSON.stringify(value) ?? String(value);
}
