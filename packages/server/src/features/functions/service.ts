import type { Platform } from "../../engines/platform.ts";
import { mapStack } from "../../engines/workerd/source/index.ts";
import type { AppsService } from "../apps/service.ts";
import { fileOf, type RuntimeService } from "../runtime/service.ts";
import { createCalls, type FunctionCalls } from "./calls.ts";
import { type AppFunctions, createCatalogue, type FunctionRoute } from "./catalogue.ts";
import { createChanges, storedMap } from "./changes.ts";
import { claimKey } from "./claims-store.ts";
import type { DeployOrder } from "./deploy.ts";
import { createInsideCalls, type InsideCalls } from "./inside.ts";
import { createManagement, type Management } from "./management.ts";
import { buildProgram, programKey, readParts } from "./program.ts";
import { createScheduler, type Scheduler } from "./scheduler.ts";
import type { FunctionView } from "./views.ts";
import { runWebhook, type WebhookAnswer, type WebhookRequest } from "./webhook.ts";

export { type FunctionCall, type FunctionCalls, timedOut } from "./calls.ts";
export { contextJson } from "./context.ts";
export { functionErrors } from "./errors.ts";
export { decideInvoke, userIdProblem, userOf } from "./invoke-access.ts";
export { limits as functionLimits } from "./limits.ts";
export { logView } from "./log-view.ts";
export type { AppFunctions, DeployOrder, FunctionRoute, FunctionView, WebhookAnswer, WebhookRequest };

export interface FunctionsService extends InsideCalls, Management {
  /** The functions of an app by its id or `~subdomain`; at most 0.8 s old. null for an app that is not there. */
  find(reference: string): Promise<AppFunctions | null>;
  /** The same without waiting; undefined when it has to be looked up. */
  peek(reference: string): AppFunctions | null | undefined;
  readonly calls: FunctionCalls;
  /** What a function answered to its developer; the stack of a failure names lines of the TypeScript. */
  inSource(appId: string, name: string, body: unknown): Promise<unknown>;
  webhook(request: WebhookRequest): Promise<WebhookAnswer>;
  /** Claims a key of the app once; false when it is taken. */
  claim(claim: { appId: string; scope: string; key: string; ttlMs: number }): Promise<boolean>;
  readonly scheduler: Scheduler;
  start(): Promise<void>;
  stop(): Promise<void>;
}

export function createFunctionsService(
  platform: Platform,
  { apps, runtime }: { apps: AppsService; runtime: RuntimeService },
): FunctionsService {
  const { database, clock, log } = platform;
  const catalogue = createCatalogue(platform, { apps, runtime });
  const change = createChanges(platform, { apps, runtime, catalogue });
  const calls = createCalls(runtime, clock);
  const inside = createInsideCalls(platform, {
    catalogue,
    calls,
    hookOf: async (appId) => (await apps.config(appId)).auth_hook_function,
  });
  const scheduler = createScheduler(platform, { catalogue, send: inside.send });

  runtime.provide("functions", {
    async load(appId) {
      return (await apps.find(appId)) === null
        ? null
        : buildProgram(platform, await readParts(platform, { apps, runtime }, appId));
    },
    async sourceMap(appId, unit) {
      const sourceMap = await storedMap(database, appId, unit);
      return sourceMap === null ? null : { fileName: fileOf(unit), sourceMap };
    },
  });
  // Variables of the app are in its functions' environment: a program that runs is replaced at once.
  apps.onChange((appId) => {
    catalogue.forget();
    if (!isRunning(runtime, appId)) return;
    catalogue.find(appId).catch((error) => log.debug({ err: error, app: appId }, "functions not refreshed"));
  });

  return {
    ...inside,
    ...createManagement(platform, { runtime, change }),
    calls,
    scheduler,
    find: catalogue.find,
    peek: catalogue.peek,
    async inSource(appId, name, body) {
      const { stack } = (body ?? {}) as { stack?: unknown };
      if (typeof stack !== "string") return body;
      const sourceMap = await storedMap(database, appId, name);
      return sourceMap === null
        ? body
        : { ...(body as object), stack: mapStack(stack, sourceMap, fileOf(name)) };
    },
    webhook: (request) => runWebhook(platform, calls, request),
    claim: ({ appId, scope, key, ttlMs }) => {
      const now = clock();
      return claimKey(database, { appId, scope, key, now: new Date(now), until: new Date(now + ttlMs) });
    },
    async start() {
      scheduler.start();
    },
    stop: () => scheduler.stop(),
  };
}

/** Also false where there is no engine. */
function isRunning(runtime: RuntimeService, appId: string): boolean {
  try {
    return runtime.engine.status(programKey(appId)).revision !== null;
  } catch {
    return false;
  }
}
