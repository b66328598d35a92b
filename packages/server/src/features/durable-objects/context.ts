import type { Platform } from "../../engines/platform.ts";
import type { ProgramKey } from "../../engines/workerd/types.ts";
import { errors } from "../../kernel/errors.ts";
import type { AppsService } from "../apps/service.ts";
import type { RuntimeService } from "../runtime/service.ts";
import type { Programs } from "./programs.ts";
import * as store from "./store.ts";

/** What the parts of this feature share. */
export interface ActorContext {
  readonly platform: Platform;
  readonly apps: AppsService;
  readonly runtime: RuntimeService;
  readonly programs: Programs;
  /** Changes of an app's classes run one at a time; another node can't run any, since it is not the app's home. */
  serial<T>(appId: string, work: () => Promise<T>): Promise<T>;
  /** A class of the app was changed: what the hot lane remembers is dropped. */
  changed(appId: string): void;
}

export const actorsOf = (appId: string): ProgramKey => `${appId}/actors`;

/** The class, or RESOURCE_NOT_FOUND. */
export async function classOf(context: ActorContext, appId: string, name: string): Promise<store.ClassRow> {
  const row = await store.selectClass(context.platform.database, appId, name);
  if (row !== null) return row;
  throw errors.RESOURCE_NOT_FOUND({
    message: `There is no Durable Object class ${name.slice(0, 80)} in this app.`,
    remediation: "List the classes: manage_durable_objects action list, GET /v1/<app_id>/durable-objects.",
  });
}

/** The class if a version of it serves, or RESOURCE_NOT_FOUND. */
export async function servingClassOf(
  context: ActorContext,
  appId: string,
  name: string,
): Promise<store.ClassRow & { version: number; class_name: string }> {
  const row = await classOf(context, appId, name);
  if (row.version !== null && row.class_name !== null) {
    return { ...row, version: row.version, class_name: row.class_name };
  }
  throw errors.RESOURCE_NOT_FOUND({
    message: `${name} has never been deployed successfully: ${row.error_message ?? "its deploy is under way"}`,
    remediation: "Deploy it (manage_durable_objects action deploy); the answer says what is wrong.",
  });
}

/** Has the running process serve what is stored now; a sleeping one does so when it wakes. */
export async function bringUp({ apps, runtime, programs }: ActorContext, appId: string): Promise<void> {
  const key = actorsOf(appId);
  const app = await apps.find(appId);
  if (app?.paused) return runtime.engine.remove(key, { destroy: false });
  const { revision, state } = runtime.engine.status(key);
  // Alarms that waited for the app to be resumed are due.
  if (state === "stopped") return runtime.engine.swap(key);
  const program = await programs.load(appId);
  if (program !== null && program.revision === revision) return;
  await runtime.engine.swap(key);
}
