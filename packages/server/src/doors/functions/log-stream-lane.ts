import type { IncomingMessage, ServerResponse } from "node:http";
import { type FunctionRoute, functionErrors, logView } from "../../features/functions/service.ts";
import type { LogEntry } from "../../features/runtime/service.ts";
import { decideAccess } from "../../kernel/access.ts";
import { errors } from "../../kernel/errors.ts";
import { newUuid } from "../../kernel/ids.ts";
import { addressOf } from "../http/client-address.ts";
import type { HttpLane } from "../http/lanes.ts";
import { applyRawCors, sendRawError } from "../http/raw.ts";
import type { FunctionDoorDeps } from "./deps.ts";
import { limits } from "./limits.ts";
import { isUnder, readUrl } from "./url.ts";

const TAIL = /^\/logs\/stream\/?(?:\?|$)/;

/**
 * `GET /v1/<app>/functions/<name>/logs/stream`: entries as server-sent events, as this node makes them. A reader that
 * comes back with `Last-Event-ID` is first told what it missed.
 */
export function createLogStreamLane(deps: FunctionDoorDeps): HttpLane & { close(): void } {
  const open = new Map<ServerResponse, string>();
  return {
    matches: (url) => isUnder(url, "functions") && url.includes("/logs/stream"),
    handle(request, response, url) {
      stream(deps, open, request, response, url).catch((error) =>
        sendRawError(response, error, newUuid(), deps.log, deps.publicUrl()),
      );
    },
    close() {
      for (const response of open.keys()) response.end();
    },
  };
}

async function stream(
  deps: FunctionDoorDeps,
  open: Map<ServerResponse, string>,
  request: IncomingMessage,
  response: ServerResponse,
  url: string,
): Promise<void> {
  const named = readUrl(url, "functions");
  const functions = named === null ? null : await deps.functions.find(named.reference);
  if (applyRawCors(request, response, functions?.app ?? null, deps.baseDomain)) return;
  if (named === null || functions === null || !TAIL.test(named.rest) || request.method !== "GET") {
    throw errors.RESOURCE_NOT_FOUND({ remediation: "GET /v1/<app_id>/functions/<name>/logs/stream." });
  }
  await authorise(deps, request, functions.app);
  const route = functions.byName.get(named.name);
  if (route === undefined) throw functionErrors.FUNCTION_NOT_FOUND();
  const ofApp = [...open.values()].filter((appId) => appId === functions.app.id).length;
  if (open.size >= limits.logStreams || ofApp >= limits.logStreamsPerApp) {
    throw errors.QUOTA_RATE_LIMIT({
      message: "Too many streams of logs are open.",
      headers: { "Retry-After": "30" },
    });
  }
  // Its close has been told of already, and would be waited for in vain.
  if (response.destroyed) return;
  open.set(response, functions.app.id);
  response.once("close", () => open.delete(response));
  await begin(deps, request, response, route);
}

/** @throws AUTH_* */
async function authorise(
  deps: FunctionDoorDeps,
  request: IncomingMessage,
  app: FunctionRoute["app"],
): Promise<void> {
  const principal = await deps.resolvePrincipal(
    request.headers.authorization,
    app.id,
    addressOf(request, deps.trustedProxies),
  );
  const refusal = decideAccess({
    principal,
    right: "view",
    personOnly: false,
    app,
    organizationId: null,
    nowMs: deps.clock(),
  });
  if (refusal !== null) throw refusal;
}

async function begin(
  deps: FunctionDoorDeps,
  request: IncomingMessage,
  response: ServerResponse,
  { app, name }: FunctionRoute,
): Promise<void> {
  const send = (text: string) => {
    if (response.writableLength > limits.logUnreadBytes) response.destroy();
    else response.write(text);
  };
  // Live entries first, so that none falls between what was kept and what comes.
  const early: LogEntry[] = [];
  let live = (entry: LogEntry): void => void early.push(entry);
  const stop = deps.runtime.onLog((appId, entry) => {
    if (appId === app.id && entry.kind === "functions" && entry.unit === name) live(entry);
  });
  const heartbeat = setInterval(() => send(": alive\n\n"), limits.logHeartbeatMs);
  const recheck = setInterval(() => {
    authorise(deps, request, app).catch(() => response.end());
  }, limits.logRecheckMs);
  const age = setTimeout(() => response.end(), limits.logStreamMs);
  response.once("close", () => {
    stop();
    clearInterval(heartbeat);
    clearInterval(recheck);
    clearTimeout(age);
  });
  response.writeHead(200, {
    "content-type": "text/event-stream",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "x-accel-buffering": "no",
  });
  send("retry: 2000\n: following\n\n");
  const told = await missed(deps, request, app.id, name);
  for (const entry of told) send(eventOf(entry));
  const known = new Set(told.map(({ id }) => id));
  for (const entry of early) if (!known.has(entry.id)) send(eventOf(entry));
  live = (entry) => send(eventOf(entry));
}

/** Oldest first. */
async function missed(
  { runtime }: FunctionDoorDeps,
  request: IncomingMessage,
  appId: string,
  unit: string,
): Promise<LogEntry[]> {
  const last = request.headers["last-event-id"];
  const lastMs = typeof last === "string" ? Date.parse(last) : Number.NaN;
  if (Number.isNaN(lastMs)) return [];
  const { entries } = await runtime.logs({
    appId,
    kind: "functions",
    unit,
    limit: limits.logReplay,
    sinceMs: lastMs + 1,
    level: "all",
  });
  return entries.reverse();
}

const eventOf = (entry: LogEntry): string =>
  `event: log\nid: ${new Date(entry.atMs).toISOString()}\ndata: ${JSON.stringify(logView(entry))}\n\n`;
