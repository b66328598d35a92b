import type { Platform } from "../../engines/platform.ts";
import type { Program } from "../../engines/workerd/types.ts";
import { pausedError } from "../../kernel/errors.ts";
import { type AppsService, environmentOf } from "../apps/service.ts";
import { fileOf } from "../runtime/service.ts";
import { buildProgram } from "./program.ts";
import * as store from "./store.ts";

const PURPOSE = "durable-object-env";

/** What would be other than it is stored, for trying it out. */
export interface Change {
  /** A class in the place of the one with its id, or beside the others. */
  readonly serving?: store.ServingRow;
  /** Variables set, or removed with null. */
  readonly env?: Readonly<Record<string, string | null>>;
}

/** Makes an app's program of what is stored. */
export interface Programs {
  /** null when no class serves, or the app is gone. Throws APP_PAUSED. */
  load(appId: string): Promise<Program | null>;
  /** The program as it would be after the change. */
  candidate(appId: string, change: Change): Promise<Program>;
  sourceMap(appId: string, unit: string): Promise<{ fileName: string; sourceMap: string } | null>;
  seal(appId: string, key: string, value: string): string;
  open(appId: string, key: string, sealed: string): string;
}

export function createPrograms(
  { database, secrets, publicUrl }: Platform,
  apps: AppsService,
  /** Whether the app wants logs of its code. */
  wantsLogs: (appId: string) => Promise<boolean>,
): Programs {
  const context = (appId: string, key: string) => `${appId}/${key}`;
  const open = (appId: string, key: string, sealed: string) =>
    secrets.open(PURPOSE, sealed, context(appId, key));
  const build = async (appId: string, { serving, env = {} }: Change): Promise<Program | null> => {
    const [stored, sealed] = await Promise.all([
      store.selectServing(database, appId),
      store.selectEnv(database, appId),
    ]);
    const classes = stored.filter((each) => each.id !== serving?.id);
    if (serving !== undefined) classes.push(serving);
    if (classes.length === 0) return null;
    classes.sort((a, b) => (a.name < b.name ? -1 : 1));
    const app = await apps.config(appId);
    const classEnv: Record<string, string> = {};
    for (const [key, value] of sealed) classEnv[key] = open(appId, key, value);
    for (const [key, value] of Object.entries(env)) {
      if (value === null) delete classEnv[key];
      else classEnv[key] = value;
    }
    return buildProgram({
      appId,
      publicUrl: publicUrl(),
      classes,
      appEnv: environmentOf({ secrets, publicUrl }, app),
      classEnv,
      logs: await wantsLogs(appId),
    });
  };

  return {
    async load(appId) {
      const app = await apps.config(appId).catch(() => null);
      // Nothing of a paused app runs, its alarms neither: they wait.
      if (app !== null && app.paused_at !== null) throw pausedError(app.paused_reason);
      return build(appId, {});
    },
    async candidate(appId, change) {
      const program = await build(appId, change);
      if (program === null) throw new Error(`${appId} has no classes to try out`);
      return program;
    },
    async sourceMap(appId, unit) {
      const row = await store.selectClass(database, appId, unit);
      if (row?.version == null) return null;
      const version = await store.selectVersion(database, row.id, row.version);
      return version === null ? null : { fileName: fileOf(unit), sourceMap: version.source_map };
    },
    seal: (appId, key, value) => secrets.seal(PURPOSE, value, context(appId, key)),
    open,
  };
}
