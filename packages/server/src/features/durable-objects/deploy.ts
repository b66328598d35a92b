import { errors } from "../../kernel/errors.ts";
import { newUuid } from "../../kernel/ids.ts";
import type { App } from "../../kernel/operation.ts";
import { type ActorContext, actorsOf, bringUp, classOf } from "./context.ts";
import { checkQuota, compile, errorText, explainStart } from "./judge.ts";
import { limits } from "./limits.ts";
import { type AccessMode, checkCollision, checkName, readAccessMode, stricter } from "./names.ts";
import type { ServingRow } from "./store.ts";
import * as store from "./store.ts";

export interface DeployOrder {
  readonly name: string;
  /** TypeScript. */
  readonly code: string;
  /** Left out: as it is, `authenticated` for a new class. */
  readonly accessMode: string | undefined;
  /** Id of who deploys. */
  readonly by: string | null;
}

export interface Deployed {
  readonly row: store.ClassRow;
  /** False when the very same was deployed already. */
  readonly changed: boolean;
}

/** What is about to serve, and how its stacks are read. */
interface Release {
  readonly row: store.ClassRow;
  readonly serving: ServingRow;
  readonly sourceMap: string;
  readonly accessMode: AccessMode;
}

/**
 * Registers or updates a class: judged, compiled, tried on empty storage, stored, swapped in. Whatever fails, the
 * version before goes on serving, and the row says why.
 */
export async function deploy(context: ActorContext, app: App, order: DeployOrder): Promise<Deployed> {
  checkName(order.name);
  const asked = order.accessMode === undefined ? null : readAccessMode(order.accessMode);
  return context.serial(app.id, async () => {
    const { database } = context.platform;
    await context.runtime.claimHome(app.id);
    const present = await store.selectClass(database, app.id, order.name);
    const accessMode = asked ?? present?.access_mode ?? "authenticated";
    if (present !== null && (await servesAlready(context, present, order.code))) {
      await bringBack(context, app.id);
      return { row: await open(context, present, accessMode), changed: present.access_mode !== accessMode };
    }
    let row = present;
    try {
      const compiled = await compile(order.name, order.code);
      const classes = await store.selectServing(database, app.id);
      const others = classes.filter(({ name }) => name !== order.name);
      checkQuota(others, compiled.compressedBytes);
      checkCollision((await store.selectEnv(database, app.id)).keys(), [order.name]);
      row ??= await register(context, app.id, order.name, accessMode);
      const serving: ServingRow = {
        id: row.id,
        name: row.name,
        version: 0,
        class_name: compiled.className,
        compiled: compiled.code,
        compressed_bytes: compiled.compressedBytes,
      };
      const release = { row, serving, sourceMap: compiled.sourceMap, accessMode };
      await tryOut(context, app.id, release);
      const version = await store.insertVersion(
        database,
        {
          class_id: row.id,
          class_name: compiled.className,
          code: order.code,
          compiled: compiled.code,
          source_map: compiled.sourceMap,
          bytes: compiled.bytes,
          compressed_bytes: compiled.compressedBytes,
          deployed_by: order.by,
        },
        limits.versionsPerClass,
      );
      try {
        return {
          row: await putToWork(context, app.id, { ...release, serving: { ...serving, version } }),
          changed: true,
        };
      } catch (error) {
        await store.deleteVersion(database, row.id, version);
        throw error;
      }
    } catch (error) {
      if (row !== null) await fail(context, row, error);
      throw error;
    }
  });
}

/** Brings a former version back, with the same care as a deploy. */
export function rollback(context: ActorContext, app: App, name: string, version: number): Promise<Deployed> {
  return context.serial(app.id, async () => {
    const { database } = context.platform;
    await context.runtime.claimHome(app.id);
    const row = await classOf(context, app.id, name);
    const wanted = await store.selectVersion(database, row.id, version);
    if (wanted === null) {
      throw errors.RESOURCE_NOT_FOUND({
        message: `${name} has no version ${version}.`,
        remediation: "List the versions: manage_durable_object_instances action list_versions.",
      });
    }
    if (row.version === version) {
      await bringBack(context, app.id);
      return { row: await open(context, row, row.access_mode), changed: false };
    }
    const { class_name, compiled, compressed_bytes } = wanted;
    const release: Release = {
      row,
      serving: { id: row.id, name, version, class_name, compiled, compressed_bytes },
      sourceMap: wanted.source_map,
      accessMode: row.access_mode,
    };
    try {
      const others = (await store.selectServing(database, app.id)).filter((each) => each.name !== name);
      checkQuota(others, compressed_bytes);
      await tryOut(context, app.id, release);
      return { row: await putToWork(context, app.id, release), changed: true };
    } catch (error) {
      await fail(context, row, error);
      throw error;
    }
  });
}

/** Has what is stored run, if something else does; says in lines of the TypeScript why it does not start. */
async function bringBack(context: ActorContext, appId: string): Promise<void> {
  try {
    await bringUp(context, appId);
  } catch (error) {
    throw await explained(context, appId, null, error);
  }
}

async function servesAlready(context: ActorContext, row: store.ClassRow, code: string): Promise<boolean> {
  if (row.version === null) return false;
  const version = await store.selectVersion(context.platform.database, row.id, row.version);
  return version?.code === code;
}

/** The row of a class that is deployed for the first time. */
async function register(
  context: ActorContext,
  appId: string,
  name: string,
  accessMode: AccessMode,
): Promise<store.ClassRow> {
  const { database } = context.platform;
  const rows = await store.selectClasses(database, appId);
  // Failed first attempts make room: they hold nothing but their message.
  if (rows.length >= limits.classesPerApp) await store.deleteNeverServed(database, appId);
  const row = await store.insertClass(database, {
    id: newUuid(),
    app_id: appId,
    name,
    access_mode: accessMode,
  });
  if (row === null) throw errors.RESOURCE_ALREADY_EXISTS({ message: `${name} is being deployed right now.` });
  return row;
}

async function tryOut(context: ActorContext, appId: string, release: Release): Promise<void> {
  const candidate = await context.programs.candidate(appId, { serving: release.serving });
  try {
    await context.runtime.engine.check(candidate);
  } catch (error) {
    throw await explained(context, appId, release, error);
  }
}

/** Points the class to the version and has the process run it; puts things back when the process does not start. */
async function putToWork(context: ActorContext, appId: string, release: Release): Promise<store.ClassRow> {
  const { database, clock } = context.platform;
  const { row, serving } = release;
  await store.updateClass(database, row.id, {
    version: serving.version,
    class_name: serving.class_name,
    // Until all runs the new code, only callers whom both versions expect are let in.
    access_mode: row.version === null ? release.accessMode : stricter(row.access_mode, release.accessMode),
  });
  context.changed(appId);
  try {
    await context.runtime.engine.swap(actorsOf(appId));
  } catch (error) {
    const { version, class_name, access_mode } = row;
    await store.updateClass(database, row.id, { version, class_name, access_mode });
    context.changed(appId);
    throw await explained(context, appId, release, error);
  }
  context.runtime.pardon(appId, "actors", row.name);
  return open(context, row, release.accessMode, new Date(clock()));
}

/** Says that the class serves, to whom it should. */
async function open(
  context: ActorContext,
  row: store.ClassRow,
  accessMode: AccessMode,
  deployedAt?: Date,
): Promise<store.ClassRow> {
  const changed = await store.updateClass(context.platform.database, row.id, {
    access_mode: accessMode,
    status: "READY",
    error_message: null,
    ...(deployedAt === undefined ? {} : { last_deployed_at: deployedAt }),
  });
  context.changed(row.app_id);
  if (changed === null) throw errors.RESOURCE_NOT_FOUND({ message: `${row.name} was deleted meanwhile.` });
  return changed;
}

/** Keeps the reason; a class that serves goes on being READY with the version it had. */
async function fail(context: ActorContext, row: store.ClassRow, error: unknown): Promise<void> {
  await store.updateClass(context.platform.database, row.id, {
    status: row.version === null ? "ERROR" : "READY",
    error_message: errorText(error),
  });
  context.changed(row.app_id);
}

const explained = (context: ActorContext, appId: string, release: Release | null, error: unknown) =>
  explainStart(error, async (name) =>
    name === release?.row.name
      ? release.sourceMap
      : ((await context.programs.sourceMap(appId, name))?.sourceMap ?? null),
  );
