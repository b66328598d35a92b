import type { Platform } from "../../engines/platform.ts";
import type { App } from "../../kernel/operation.ts";
import type { AppsService } from "../apps/service.ts";
import type { RuntimeService } from "../runtime/service.ts";
import { createCalls, type FunctionCalls } from "./calls.ts";
import { type AppFunctions, createCatalogue, type FunctionRoute } from "./catalogue.ts";
import { createChanges, fileOf } from "./changes.ts";
import { claimKey } from "./claims-store.ts";
import { compile, type Deployed, type DeployOrder, planDeploy } from "./deploy.ts";
import { functionErrors } from "./errors.ts";
import { createInsideCalls, type InsideCalls } from "./inside.ts";
import { planDelete, planEnv, planRollback, planSettings, type SettingsOrder } from "./plans.ts";
import { buildProgram, programKey, readParts } from "./program.ts";
import { selectSchedules } from "./schedule-store.ts";
import { createScheduler, type Scheduler } from "./scheduler.ts";
import * as store from "./store.ts";
import { type FunctionView, viewsOf } from "./views.ts";
import { runWebhook, type WebhookAnswer, type WebhookRequest } from "./webhook.ts";

export { type FunctionCall, type FunctionCalls, headerOf, readAnswer, timedOut } from "./calls.ts";
export { contextJson } from "./context.ts";
export { functionErrors } from "./errors.ts";
export { decideInvoke, userIdProblem, userOf } from "./invoke-access.ts";
export { limits as functionLimits } from "./limits.ts";
export { logView } from "./log-view.ts";
export type { AppFunctions, DeployOrder, FunctionRoute, FunctionView, WebhookAnswer, WebhookRequest };

export interface FunctionsService extends InsideCalls {
  /** The functions of an app by its id or `~subdomain`; at most 0.8 s old. null for an app that is not there. */
  find(reference: string): Promise<AppFunctions | null>;
  /** The same without waiting; undefined when it has to be looked up. */
  peek(reference: string): AppFunctions | null | undefined;
  readonly calls: FunctionCalls;
  webhook(request: WebhookRequest): Promise<WebhookAnswer>;
  /** Claims a key of the app once; false when it is taken. */
  claim(claim: { appId: string; scope: string; key: string; ttlMs: number }): Promise<boolean>;

  deploy(app: App, order: DeployOrder): Promise<Deployed>;
  list(appId: string): Promise<FunctionView[]>;
  /** @throws FUNCTION_NOT_FOUND */
  get(appId: string, name: string): Promise<FunctionView & { readonly code: string }>;
  delete(appId: string, name: string): Promise<void>;
  updateEnv(appId: string, name: string, changes: Readonly<Record<string, string | null>>): Promise<void>;
  updateSettings(appId: string, name: string, settings: SettingsOrder): Promise<FunctionView>;
  versions(
    appId: string,
    name: string,
  ): Promise<{ versions: { version: number; deployedBy: string | null; at: Date }[]; served: number }>;
  rollback(appId: string, name: string, version: number): Promise<void>;
  /** Whether the app has, or once had, a function of that name. */
  wasThere(appId: string, name: string): Promise<boolean>;
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
      const row = await store.selectFunction(database, appId, unit);
      const version = row === null ? null : await store.selectVersion(database, row.id, row.version);
      return version === null ? null : { fileName: fileOf(unit), sourceMap: version.source_map };
    },
  });
  // Variables of the app are in its functions' environment: a program that runs is replaced at once.
  apps.onChange((appId) => {
    catalogue.forget();
    if (!isRunning(runtime, appId)) return;
    catalogue.find(appId).catch((error) => log.debug({ err: error, app: appId }, "functions not refreshed"));
  });

  const rowOf = async (appId: string, name: string): Promise<store.FunctionRow> => {
    const row = await store.selectFunction(database, appId, name);
    if (row === null) throw noSuch(name);
    return row;
  };
  const views = async (appId: string, rows: readonly store.FunctionRow[]): Promise<FunctionView[]> => {
    const [triggers, schedules, counters] = await Promise.all([
      store.selectTriggers(database, appId),
      selectSchedules(database, appId),
      runtime.counters(appId, "functions"),
    ]);
    const blamed = (name: string) => runtime.blamed(appId, "functions", name)?.reason ?? null;
    return viewsOf(platform.publicUrl(), { rows, triggers, schedules, counters, blamed });
  };

  return {
    ...inside,
    calls,
    scheduler,
    find: catalogue.find,
    peek: catalogue.peek,
    webhook: (request) => runWebhook(platform, calls, request),
    claim: ({ appId, scope, key, ttlMs }) => {
      const now = clock();
      return claimKey(database, { appId, scope, key, now: new Date(now), until: new Date(now + ttlMs) });
    },
    async deploy(app, order) {
      const compiled = await compile(order.name, order.code);
      const deployed = await change(app.id, (parts) => planDeploy(platform, parts, app.id, order, compiled));
      runtime.pardon(app.id, "functions", order.name);
      return deployed;
    },
    list: async (appId) => views(appId, await store.selectFunctions(database, appId)),
    async get(appId, name) {
      const row = await rowOf(appId, name);
      const [[view], version] = await Promise.all([
        views(appId, [row]),
        store.selectVersion(database, row.id, row.version),
      ]);
      return { ...view!, code: version?.code ?? "" };
    },
    delete: (appId, name) => change(appId, async (parts) => planDelete(parts, name, new Date(clock()))),
    updateEnv: (appId, name, changes) =>
      change(appId, async (parts) => planEnv(platform, parts, name, changes)),
    async updateSettings(appId, name, settings) {
      await change(appId, async (parts) => planSettings(parts, name, settings, new Date(clock())));
      return (await views(appId, [await rowOf(appId, name)]))[0]!;
    },
    async versions(appId, name) {
      const row = await rowOf(appId, name);
      const rows = await store.selectVersions(database, row.id);
      return {
        served: row.version,
        versions: rows.map(({ version, deployed_by, created_at }) => ({
          version,
          deployedBy: deployed_by,
          at: created_at,
        })),
      };
    },
    async rollback(appId, name, version) {
      await change(appId, (parts) => planRollback(platform, parts, name, version));
      runtime.pardon(appId, "functions", name);
    },
    wasThere: async (appId, name) =>
      (await store.selectFunction(database, appId, name)) !== null ||
      (await store.wasDeleted(database, appId, name)),
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

const noSuch = (name: string) =>
  functionErrors.FUNCTION_NOT_FOUND({
    message: "Function not found",
    details: { function: name.slice(0, 100) },
  });
