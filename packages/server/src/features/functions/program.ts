import type { Platform } from "../../engines/platform.ts";
import type { FunctionUnit, Program, ProgramKey } from "../../engines/workerd/types.ts";
import { type AppsService, environmentOf } from "../apps/service.ts";
import type { RuntimeService } from "../runtime/service.ts";
import { openEnv } from "./env.ts";
import { limits } from "./limits.ts";
import * as store from "./store.ts";

export const programKey = (appId: string): ProgramKey => `${appId}/functions`;

type AppConfig = Awaited<ReturnType<AppsService["config"]>>;

/** Everything an app's program is made of, as it was at one revision. */
export interface ProgramParts {
  readonly at: store.Revision;
  /** Runs are logged, not only counted. */
  readonly logs: boolean;
  readonly config: AppConfig;
  readonly functions: readonly store.FunctionRow[];
  readonly code: ReadonlyMap<string, { compiled: string; entry: "handler" | "default" }>;
}

export async function readParts(
  { database }: Platform,
  { apps, runtime }: { apps: Pick<AppsService, "config">; runtime: Pick<RuntimeService, "logsEnabled"> },
  appId: string,
): Promise<ProgramParts> {
  // The revision first: what changes meanwhile makes it outdated, and the next look finds that out.
  const at = await store.selectRevision(database, appId);
  const [config, functions, served, logs] = await Promise.all([
    apps.config(appId),
    store.selectFunctions(database, appId),
    store.selectServed(database, appId),
    runtime.logsEnabled(appId),
  ]);
  const code = new Map(served.map(({ function_id, compiled, entry }) => [function_id, { compiled, entry }]));
  return { at, logs, config, functions, code };
}

/** Changes with everything the process runs: the functions' code and variables, and the app's own variables. */
export const revisionOf = ({ build }: store.Revision, config: Pick<AppConfig, "env_updated_at">): string =>
  `${build}-${config.env_updated_at?.getTime() ?? 0}`;

/** Whether a program's revision is of that. */
export const isOfRevision = (serving: string, revision: string): boolean =>
  serving.startsWith(`${revision}/`);

/** The program of an app; null without functions. */
export function buildProgram(platform: Platform, parts: ProgramParts): Program | null {
  const { config, functions, code } = parts;
  if (functions.length === 0) return null;
  const shared = environmentOf(platform, config);
  const units = functions.flatMap((row): FunctionUnit[] => {
    const served = code.get(row.id);
    if (served === undefined) return [];
    return [
      {
        name: row.name,
        code: served.compiled,
        entry: served.entry,
        env: { ...shared, ...openEnv(platform.secrets, row.id, row.env) },
      },
    ];
  });
  return {
    appId: config.id,
    kind: "functions",
    revision: `${revisionOf(parts.at, config)}/${parts.logs ? "logs" : "silent"}`,
    actors: [],
    functions: units,
    scheme: platform.publicUrl().startsWith("https:") ? "https" : "http",
    logs: parts.logs,
    memoryBytes:
      limits.processBytes +
      Math.max(...functions.map(({ memory_limit_mb }) => memory_limit_mb)) * 1024 * 1024,
  };
}
