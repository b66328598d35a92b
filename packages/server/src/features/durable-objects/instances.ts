import { basename, join } from "node:path";
import type { Inspection } from "../../engines/workerd/types.ts";
import { AmbitError, errors } from "../../kernel/errors.ts";
import type { Activity } from "./activity.ts";
import { type Archive, pack, unpack, withTemporary } from "./archive.ts";
import { type ActorContext, actorsOf, servingClassOf } from "./context.ts";
import { invalid } from "./errors.ts";
import * as store from "./instance-store.ts";
import { limits } from "./limits.ts";
import * as files from "./storage-files.ts";

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

/** Looks at instances and changes them, always inside their own process or while that is stopped. */
export interface Instances {
  list(
    appId: string,
    name: string,
    page: { limit: number; after: string | null },
  ): Promise<{ instances: Instance[]; nextCursor: string | null; total: number; bytes: number }>;
  /** `instance` is an id (64 hexadecimal digits) or a name. Throws VALIDATION_ERROR for one that does not exist. */
  get(appId: string, name: string, instance: string): Promise<Instance & { alarmAtMs: number | null }>;
  inspect(appId: string, name: string, instance: string, inspection: Inspection): Promise<unknown>;
  remove(appId: string, name: string, instance: string): Promise<Instance>;
  exportOne(appId: string, name: string, instance: string): Promise<Archive>;
  importOne(
    appId: string,
    name: string,
    order: { archive: Archive; instance: string | undefined; overwrite: boolean },
  ): Promise<Instance>;
  /** Instances with storage and their bytes, by class name. */
  sizes(appId: string, classes: readonly { id: string; name: string }[]): Promise<Map<string, Size>>;
}

export interface Size {
  readonly instances: number;
  readonly bytes: number;
}

export function createInstances(context: ActorContext, activity: Activity): Instances {
  const { runtime, platform } = context;
  const { database } = platform;
  // The engine is there from the start of the runtime on, not before.
  const storageDir = (appId: string) => runtime.engine.storageDir(actorsOf(appId));

  const idOf = (classId: string, instance: string) =>
    files.isInstanceId(instance) ? instance : runtime.engine.idFromName(classId, instance);
  const merged = (
    classId: string,
    id: string,
    stored: files.StoredInstance | null,
    row: store.InstanceRow | null,
  ): Instance => {
    const seen = row === null ? null : activity.lastAtMs(classId, row.name);
    return {
      id,
      name: row?.name ?? null,
      bytes: stored?.bytes ?? 0,
      firstActiveAtMs: row?.first_active_at.getTime() ?? null,
      lastActiveAtMs: Math.round(
        Math.max(stored?.changedAtMs ?? 0, row?.last_active_at.getTime() ?? 0, seen ?? 0),
      ),
    };
  };
  /** The instance, which must exist: looking at one that does not would make it. */
  const find = async (appId: string, name: string, instance: string) => {
    const owner = await servingClassOf(context, appId, name);
    await runtime.claimHome(appId);
    await activity.flush(true);
    const id = idOf(owner.id, instance);
    const [stored, row] = await Promise.all([
      files.findStored(storageDir(appId), owner.id, id),
      store.selectInstance(database, owner.id, id),
    ]);
    if (stored === null && row === null) {
      throw errors.RESOURCE_NOT_FOUND({
        message: `${name} has no instance ${instance.slice(0, 100)}.`,
        remediation: "List the instances: manage_durable_object_instances action list_instances.",
      });
    }
    return { owner, instance: merged(owner.id, id, stored, row), stored };
  };
  const inspect = async (appId: string, name: string, id: string, inspection: Inspection) => {
    try {
      return await runtime.engine.inspect(actorsOf(appId), name, { id }, inspection);
    } catch (error) {
      if (!(error instanceof AmbitError) || error.code !== "INSPECTION_FAILED" || error.status >= 500)
        throw error;
      throw invalid("STORAGE_ERROR", error.message.slice(0, limits.errorMessageChars), error.remediation);
    }
  };

  return {
    async list(appId, name, { limit, after }) {
      const { id: classId } = await servingClassOf(context, appId, name);
      await runtime.claimHome(appId);
      await activity.flush(true);
      const [stored, rows] = await Promise.all([
        files.listStored(storageDir(appId), classId),
        store.selectInstances(database, classId, limits.namedInstances),
      ]);
      const byId = new Map(rows.map((row) => [row.instance_id, row]));
      const onDisk = new Set(stored.map(({ id }) => id));
      const all = [
        ...stored.map((each) => merged(classId, each.id, each, byId.get(each.id) ?? null)),
        ...rows
          .filter((row) => !onDisk.has(row.instance_id))
          .map((row) => merged(classId, row.instance_id, null, row)),
      ].sort((a, b) => (a.id < b.id ? -1 : 1));
      const rest = after === null ? all : all.filter(({ id }) => id > after);
      const page = rest.slice(0, limit);
      return {
        instances: page,
        nextCursor: rest.length > limit ? page.at(-1)!.id : null,
        total: all.length,
        bytes: stored.reduce((sum, each) => sum + each.bytes, 0),
      };
    },
    async get(appId, name, wanted) {
      const { instance } = await find(appId, name, wanted);
      const alarm = await inspect(appId, name, instance.id, { op: "alarm" });
      return { ...instance, alarmAtMs: (alarm as { atMs: number | null }).atMs };
    },
    async inspect(appId, name, wanted, inspection) {
      const { instance } = await find(appId, name, wanted);
      return inspect(appId, name, instance.id, inspection);
    },
    remove: (appId, name, wanted) =>
      context.serial(appId, async () => {
        const { owner, instance } = await find(appId, name, wanted);
        await runtime.engine.exclusive(actorsOf(appId), (dir) =>
          files.removeInstance(dir, owner.id, instance.id),
        );
        await store.deleteInstance(database, owner.id, instance.id);
        return instance;
      }),
    exportOne: (appId, name, wanted) =>
      context.serial(appId, async () => {
        const { owner, instance, stored } = await find(appId, name, wanted);
        if (stored === null) {
          throw invalid(
            "NO_SUCH_INSTANCE",
            "The instance has stored nothing.",
            "There is nothing to export.",
          );
        }
        return withTemporary(async (directory) => {
          const file = join(directory, basename(`${instance.id}.sqlite`));
          const { alarmNs } = await runtime.engine.exclusive(actorsOf(appId), (dir) =>
            files.copyOut(dir, owner.id, instance.id, file),
          );
          return {
            format: "ambit-durable-object-instance" as const,
            version: 1 as const,
            class_name: owner.class_name,
            id: instance.id,
            name: instance.name,
            alarm_ns: alarmNs === null ? null : String(alarmNs),
            exported_at: new Date(platform.clock()).toISOString(),
            ...(await pack(file)),
          };
        });
      }),
    importOne: (appId, name, { archive, instance, overwrite }) =>
      context.serial(appId, async () => {
        const owner = await servingClassOf(context, appId, name);
        await runtime.claimHome(appId);
        const target = instance ?? archive.name ?? archive.id;
        const id = idOf(owner.id, target);
        const [there, known] = await Promise.all([
          files.findStored(storageDir(appId), owner.id, id),
          store.selectInstance(database, owner.id, id),
        ]);
        if (files.isInstanceId(target) && there === null && known === null) throw unknownId();
        if (there !== null && !overwrite) throw exists(target);
        const targetName = known?.name ?? (files.isInstanceId(target) ? null : target);
        await withTemporary(async (directory) => {
          const file = join(directory, "instance.sqlite");
          await unpack(archive, file);
          const alarmNs = archive.alarm_ns === null ? null : BigInt(archive.alarm_ns);
          await runtime.engine.exclusive(actorsOf(appId), (dir) =>
            files.copyIn(dir, owner.id, { id, name: targetName }, file, alarmNs),
          );
        });
        if (targetName !== null) {
          activity.saw(owner.id, targetName, platform.clock());
          await activity.flush(true);
        }
        const [stored, row] = await Promise.all([
          files.findStored(storageDir(appId), owner.id, id),
          store.selectInstance(database, owner.id, id),
        ]);
        return merged(owner.id, id, stored, row);
      }),
    async sizes(appId, classes) {
      const sizes = new Map<string, Size>();
      for (const { id, name } of classes) {
        const stored = await files.listStored(storageDir(appId), id);
        sizes.set(name, {
          instances: stored.length,
          bytes: stored.reduce((sum, each) => sum + each.bytes, 0),
        });
      }
      return sizes;
    },
  };
}

const unknownId = () =>
  invalid(
    "ARCHIVE_OF_ANOTHER_CLASS",
    "An instance without a name can only be put back where it was exported from.",
    "Say under which name to import it: instance.",
  );

const exists = (target: string) =>
  invalid(
    "INSTANCE_EXISTS",
    `There is an instance ${target.slice(0, 100)} already.`,
    "Import under another name (instance), or replace it: overwrite true.",
  );
