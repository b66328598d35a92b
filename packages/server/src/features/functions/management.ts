import type { Platform } from "../../engines/platform.ts";
import type { App } from "../../kernel/operation.ts";
import type { RuntimeService } from "../runtime/service.ts";
import type { ChangeFunctions } from "./changes.ts";
import { compile, type Deployed, type DeployOrder, planDeploy } from "./deploy.ts";
import { functionErrors } from "./errors.ts";
import { planDelete, planEnv, planRollback, planSettings, type SettingsOrder } from "./plans.ts";
import { selectSchedules } from "./schedule-store.ts";
import * as store from "./store.ts";
import { type FunctionView, viewsOf } from "./views.ts";

/** What developers do with functions. Methods that name one throw FUNCTION_NOT_FOUND. */
export interface Management {
  deploy(app: App, order: DeployOrder): Promise<Deployed>;
  list(appId: string): Promise<FunctionView[]>;
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
}

export function createManagement(
  platform: Platform,
  { runtime, change }: { runtime: RuntimeService; change: ChangeFunctions },
): Management {
  const { database, clock } = platform;
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
  };
}

const noSuch = (name: string) =>
  functionErrors.FUNCTION_NOT_FOUND({
    details: { function: name.slice(0, 100) },
  });
