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
import { type CallDeps, callActor, callFunction, goneSignal } from "./calls.ts";
import { claim } from "./claim.ts";
import { query } from "./data.ts";
import { limits } from "./limits.ts";
import { readPath } from "./path.ts";
import { readQuestion } from "./question.ts";
import { askSubstrate, type SubstrateDeps } from "./substrate.ts";

export interface RuntimeDoorDeps extends CallDeps {
  readonly apps: Pick<AppsService, "find">;
  readonly data: DataService;
  /** Absent: no app is linked to any substrate. */
  readonly substrate?: SubstrateDeps;
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
  const underWay = new Map<string, { count: number; bytes: number }>();
  deps.runtime.onCallback((callback) => {
    const { appId, request, response } = callback;
    const load = underWay.get(appId) ?? { count: 0, bytes: 0 };
    underWay.set(appId, load);
    load.count += 1;
    let held = 0;
    const hold = (bytes: number) => {
      if (response.closed || load.bytes + bytes > limits.heldBytesPerApp) return false;
      held += bytes;
      load.bytes += bytes;
      return true;
    };
    response.once("close", () => {
      load.count -= 1;
      load.bytes -= held;
      if (load.count === 0) underWay.delete(appId);
    });
    const work =
      load.count > limits.underWayPerApp ? Promise.reject(tooMany()) : answer(deps, callback, hold);
    work.catch((error) => {
      // What is still under way is let through unread, so that the answer can be sent.
      request.resume();
      sendRawError(response, error, newUuid(), deps.log, deps.publicUrl());
    });
  });
}

async function answer(
  deps: RuntimeDoorDeps,
  callback: Callback,
  hold: (bytes: number) => boolean,
): Promise<void> {
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
      const question = await readQuestion(request, hold);
      return sendJson(response, await query(deps.data, app, authority, question, deps.clock(), gone));
    }
    case "claim":
      return sendJson(response, await claim(deps.functions, authority, await readQuestion(request, hold)));
    case "substrate": {
      if (deps.substrate === undefined) throw errors.RESOURCE_NOT_FOUND();
      const signal = goneSignal(response);
      const question = await readQuestion(request, hold);
      const asked = { app, authority, nowMs: deps.clock(), signal };
      return sendJson(response, await askSubstrate(deps.substrate, asked, path.verb, question));
    }
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
  }
  if (unit !== null && kind === "actors") return ofClass(appId, unit);
  throw errors.AUTH_REQUIRED({
    message: "The request on whose behalf this was asked is over.",
    remediation: "Await calls before answering, or hand them to ctx.waitUntil.",
  });
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
