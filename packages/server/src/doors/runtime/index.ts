import type { ServerResponse } from "node:http";
import { INVOCATION_HEADER } from "../../engines/workerd/headers.ts";
import type { AppsService } from "../../features/apps/service.ts";
import type { DataService } from "../../features/data/service.ts";
import type { RuntimeService } from "../../features/runtime/service.ts";
import type { Clock } from "../../kernel/clock.ts";
import { errors, pausedError } from "../../kernel/errors.ts";
import { newUuid } from "../../kernel/ids.ts";
import type { Log } from "../../kernel/log.ts";
import type { App } from "../../kernel/operation.ts";
import { sendRawError } from "../http/raw.ts";
import { type Authority, ofClass } from "./authority.ts";
import { type CallDeps, callActor, callFunction } from "./calls.ts";
import { claim } from "./claim.ts";
import { query } from "./data.ts";
import { limits } from "./limits.ts";
import { readPath } from "./path.ts";
import { readQuestion } from "./question.ts";

export interface RuntimeDoorDeps extends CallDeps {
  readonly apps: Pick<AppsService, "find">;
  readonly data: DataService;
  readonly clock: Clock;
  readonly log: Log;
  publicUrl(): string;
  /** What user code is told as the host of an app. */
  hostOf(app: App): string;
}

type Callback = Parameters<Parameters<RuntimeService["onCallback"]>[0]>[0];

/**
 * Answers what user code asks Ambit for over its program's own socket. Whoever asks shows the id of a request that this
 * very program is handling, or is the class its process vouches for; there is no other way in.
 */
export function attachRuntimeDoor(deps: RuntimeDoorDeps): void {
  const underWay = new Map<string, number>();
  deps.runtime.onCallback((callback) => {
    const { appId, request, response } = callback;
    const count = underWay.get(appId) ?? 0;
    underWay.set(appId, count + 1);
    response.once("close", () => {
      const left = underWay.get(appId)! - 1;
      if (left === 0) underWay.delete(appId);
      else underWay.set(appId, left);
    });
    const work = count >= limits.underWayPerApp ? Promise.reject(tooMany()) : answer(deps, callback);
    work.catch((error) => {
      // What is still under way is let through unread, so that the answer can be sent.
      request.resume();
      sendRawError(response, error, newUuid(), deps.log, deps.publicUrl());
    });
  });
}

async function answer(deps: RuntimeDoorDeps, callback: Callback): Promise<void> {
  const { request, response } = callback;
  const authority = authorityOf(deps.runtime, callback);
  const path = readPath(request.url ?? "/", request.method ?? "GET");
  if (path === null) throw errors.RESOURCE_NOT_FOUND();
  const app = await deps.apps.find(authority.appId);
  if (app === null) throw errors.RESOURCE_NOT_FOUND({ message: "The app is gone." });
  if (app.paused) throw pausedError(app.pausedReason);
  const call = { app, authority, request, response };
  switch (path.kind) {
    case "query": {
      const gone = goneSignal(response);
      const question = await readQuestion(request);
      return sendJson(response, await query(deps.data, app, authority, question, deps.clock(), gone));
    }
    case "claim":
      return sendJson(response, await claim(deps.functions, authority, await readQuestion(request)));
    case "function":
      return callFunction(deps, call, path.name, path.rest);
    case "actor":
      return callActor(deps, call, deps.hostOf(app), path);
  }
}

/** @throws AUTH_REQUIRED */
function authorityOf(runtime: RuntimeService, { appId, kind, unit, request }: Callback): Authority {
  const id = request.headers[INVOCATION_HEADER];
  if (typeof id === "string") {
    const found = runtime.invocations.find(appId, kind, id);
    if (found !== null) return found;
  } else if (unit !== null && kind === "actors") return ofClass(appId, unit);
  throw errors.AUTH_REQUIRED({
    message: "The request on whose behalf this was asked is over.",
    remediation: "Await calls before answering, or hand them to ctx.waitUntil.",
  });
}

/** Aborts when the code that asked has gone. */
function goneSignal(response: ServerResponse): AbortSignal {
  const gone = new AbortController();
  response.once("close", () => {
    if (!response.writableFinished) gone.abort();
  });
  return gone.signal;
}

function sendJson(response: ServerResponse, value: object): void {
  const body = JSON.stringify(value);
  response.writeHead(200, {
    "content-type": "application/json; charset=utf-8",
    "content-length": Buffer.byteLength(body),
  });
  response.end(body);
}

const tooMany = () =>
  errors.QUOTA_RATE_LIMIT({
    message: `The app's code has ${limits.underWayPerApp} calls to Ambit under way.`,
    headers: { "Retry-After": "1" },
  });
