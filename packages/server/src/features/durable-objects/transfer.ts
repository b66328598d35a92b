import { join } from "node:path";
import { type Archive, pack, unpack, withTemporary } from "./archive.ts";
import { actorsOf, servingClassOf } from "./context.ts";
import { invalid } from "./errors.ts";
import {
  type Address,
  findInstance,
  type Instance,
  type InstanceContext,
  idOf,
  lookAt,
} from "./instances.ts";
import * as files from "./storage-files.ts";

/** One instance with storage and alarm as a document. Its files are copied while the process is stopped. */
export function exportInstance(context: InstanceContext, address: Address): Promise<Archive> {
  const { appId } = address;
  return context.serial(appId, async () => {
    const { classId, className, instance, isStored } = await findInstance(context, address);
    if (!isStored) {
      throw invalid("NO_SUCH_INSTANCE", "The instance has stored nothing.", "There is nothing to export.");
    }
    return withTemporary(async (directory) => {
      const file = join(directory, "instance.sqlite");
      const { alarmNs } = await context.runtime.engine.exclusive(actorsOf(appId), (storage) =>
        files.copyOut(storage, classId, instance.id, file),
      );
      return {
        format: "ambit-durable-object-instance" as const,
        version: 1 as const,
        class_name: className,
        id: instance.id,
        name: instance.name,
        alarm_ns: alarmNs === null ? null : String(alarmNs),
        exported_at: new Date(context.platform.clock()).toISOString(),
        ...(await pack(file)),
      };
    });
  });
}

export interface ImportOrder {
  readonly appId: string;
  readonly name: string;
  readonly archive: Archive;
  /** A name, or an id that is there already; left out, as the archive says. */
  readonly instance: string | undefined;
  readonly overwrite: boolean;
}

/** Puts an archive in an instance's place, once it has proved to be whole. Throws VALIDATION_ERROR. */
export function importInstance(
  context: InstanceContext,
  { appId, name, archive, instance, overwrite }: ImportOrder,
): Promise<Instance> {
  return context.serial(appId, async () => {
    const { id: classId } = await servingClassOf(context, appId, name);
    await context.runtime.claimHome(appId);
    const target = instance ?? archive.name ?? archive.id;
    const id = idOf(context, classId, target);
    const there = await lookAt(context, appId, classId, id);
    // Ids are made by the process for one class: one from elsewhere would be a file nothing can reach.
    if (files.isInstanceId(target) && there === null) throw unknownId();
    if (there?.isStored && !overwrite) throw exists(target);
    const targetName = there?.instance.name ?? (files.isInstanceId(target) ? null : target);
    await withTemporary(async (directory) => {
      const file = join(directory, "instance.sqlite");
      await unpack(archive, file);
      const alarmNs = archive.alarm_ns === null ? null : BigInt(archive.alarm_ns);
      await context.runtime.engine.exclusive(actorsOf(appId), (storage) =>
        files.copyIn(storage, classId, { id, name: targetName }, file, alarmNs),
      );
    });
    if (targetName !== null) {
      context.activity.saw(classId, targetName, context.platform.clock());
      await context.activity.flush(true);
    }
    return (await lookAt(context, appId, classId, id))!.instance;
  });
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
