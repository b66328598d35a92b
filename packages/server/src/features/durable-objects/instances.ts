import type { Inspection } from "../../engines/workerd/types.ts";
import { AmbitError, errors } from "../../kernel/errors.ts";
import type { Activity } from "./activity.ts";
import { type ActorContext, actorsOf, servingClassOf } from "./context.ts";
import { invalid } from "./errors.ts";
import * as store from "./instance-store.ts";
import { limits } from "./limits.ts";
import * as files from "./storage-files.ts";

/** What looking at instances needs beside what all parts share. */
export interface InstanceContext extends ActorContext {
  readonly activity: Activity;
}

/** One instance, as far as Ambit knows it. */
export interface Instance {
  readonly id: string;
  /** null when it was only ever reached from inside the app. */
  readonly name: string | null;
  /** Of its files; 0 when it has stored nothing. */
  readonly bytes: number;
  readonly firstActiveAtMs: number | null;
  readonly lastActiveAtMs: number;
}

/** Which instance of which class; `instance` is an id (64 hexadecimal digits) or a name. */
export interface Address {
  readonly appId: string;
  readonly name: string;
  readonly instance: string;
}

export interface InstancePage {
  readonly instances: readonly Instance[];
  readonly nextCursor: string | null;
  readonly total: number;
  readonly bytes: number;
}

/** Instances of a class by id, from the files there are and from what was reached by name. */
export async function listInstances(
  context: InstanceContext,
  { appId, name }: Omit<Address, "instance">,
  { limit, after }: { limit: number; after: string | null },
): Promise<InstancePage> {
  const { id: classId } = await servingClassOf(context, appId, name);
  await context.runtime.claimHome(appId);
  await context.activity.flush(true);
  const [stored, rows] = await Promise.all([
    files.listStored(storageOf(context, appId), classId),
    store.selectInstances(context.platform.database, classId, limits.namedInstances),
  ]);
  const byId = new Map(rows.map((row) => [row.instance_id, row]));
  const onDisk = new Set(stored.map(({ id }) => id));
  const all = [
    ...stored.map((each) => merged(context, classId, each.id, each, byId.get(each.id) ?? null)),
    ...rows
      .filter((row) => !onDisk.has(row.instance_id))
      .map((row) => merged(context, classId, row.instance_id, null, row)),
  ].sort((a, b) => (a.id < b.id ? -1 : 1));
  const rest = after === null ? all : all.filter(({ id }) => id > after);
  const page = rest.slice(0, limit);
  return {
    instances: page,
    nextCursor: rest.length > limit ? page.at(-1)!.id : null,
    total: all.length,
    bytes: bytesOf(stored),
  };
}

/** Throws RESOURCE_NOT_FOUND for an instance that does not exist. Looking wakes it up. */
export async function getInstance(
  context: InstanceContext,
  address: Address,
): Promise<Instance & { alarmAtMs: number | null }> {
  const { instance } = await findInstance(context, address);
  const alarm = await ask(context, address, instance.id, { op: "alarm" });
  return { ...instance, alarmAtMs: (alarm as { atMs: number | null }).atMs };
}

/** Reads or writes storage inside the instance's own process. Throws RESOURCE_NOT_FOUND, or VALIDATION_ERROR. */
export async function inspectInstance(
  context: InstanceContext,
  address: Address,
  inspection: Inspection,
): Promise<unknown> {
  const { instance } = await findInstance(context, address);
  return ask(context, address, instance.id, inspection);
}

/** Destroys one instance with its storage and alarm, while its process is stopped. */
export function removeInstance(context: InstanceContext, address: Address): Promise<Instance> {
  const { appId } = address;
  return context.serial(appId, async () => {
    const { classId, instance } = await findInstance(context, address);
    await context.runtime.engine.exclusive(actorsOf(appId), (directory) =>
      files.removeInstance(directory, classId, instance.id),
    );
    await store.deleteInstance(context.platform.database, classId, instance.id);
    return instance;
  });
}

/** How many instances of a class have storage, and its bytes. */
export async function sizeOf(
  context: InstanceContext,
  appId: string,
  classId: string,
): Promise<{ instances: number; bytes: number }> {
  const stored = await files.listStored(storageOf(context, appId), classId);
  return { instances: stored.length, bytes: bytesOf(stored) };
}

/** The instance, which must exist: to look into one that does not would make it. */
export async function findInstance(
  context: InstanceContext,
  { appId, name, instance }: Address,
): Promise<{ classId: string; className: string; instance: Instance; isStored: boolean }> {
  const owner = await servingClassOf(context, appId, name);
  await context.runtime.claimHome(appId);
  await context.activity.flush(true);
  const found = await lookAt(context, appId, owner.id, idOf(context, owner.id, instance));
  if (found !== null) return { classId: owner.id, className: owner.class_name, ...found };
  throw errors.RESOURCE_NOT_FOUND({
    message: `${name} has no instance ${instance.slice(0, 100)}.`,
    remediation: "List the instances: manage_durable_object_instances action list_instances.",
  });
}

/** What is known of an instance; null for nothing. */
export async function lookAt(
  context: InstanceContext,
  appId: string,
  classId: string,
  id: string,
): Promise<{ instance: Instance; isStored: boolean } | null> {
  const [stored, row] = await Promise.all([
    files.findStored(storageOf(context, appId), classId, id),
    store.selectInstance(context.platform.database, classId, id),
  ]);
  if (stored === null && row === null) return null;
  return { instance: merged(context, classId, id, stored, row), isStored: stored !== null };
}

/** An instance's id, for an id or a name. */
export const idOf = ({ runtime }: ActorContext, classId: string, instance: string): string =>
  files.isInstanceId(instance) ? instance : runtime.engine.idFromName(classId, instance);

const storageOf = ({ runtime }: ActorContext, appId: string): string =>
  runtime.engine.storageDir(actorsOf(appId));

const bytesOf = (stored: readonly files.StoredInstance[]): number =>
  stored.reduce((sum, each) => sum + each.bytes, 0);

function merged(
  { activity }: InstanceContext,
  classId: string,
  id: string,
  stored: files.StoredInstance | null,
  row: store.InstanceRow | null,
): Instance {
  const seenAtMs = row === null ? null : activity.lastAtMs(classId, row.name);
  const times = [stored?.changedAtMs ?? 0, row?.last_active_at.getTime() ?? 0, seenAtMs ?? 0];
  return {
    id,
    name: row?.name ?? null,
    bytes: stored?.bytes ?? 0,
    firstActiveAtMs: row?.first_active_at.getTime() ?? null,
    lastActiveAtMs: Math.round(Math.max(...times)),
  };
}

async function ask(
  { runtime }: ActorContext,
  { appId, name }: Address,
  id: string,
  inspection: Inspection,
): Promise<unknown> {
  try {
    return await runtime.engine.inspect(actorsOf(appId), name, { id }, inspection);
  } catch (error) {
    if (!(error instanceof AmbitError) || error.code !== "INSPECTION_FAILED") throw error;
    throw invalid("STORAGE_ERROR", error.message.slice(0, limits.errorMessageChars), error.remediation);
  }
}
