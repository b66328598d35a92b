import { type ActorContext, actorsOf, classOf } from "./context.ts";
import * as files from "./storage-files.ts";
import * as store from "./store.ts";

/**
 * Deletes a class with every instance and its storage, and nothing else. The row goes first and leaves a note: what a
 * crash interrupts is finished at the next start.
 */
export function deleteClass(context: ActorContext, appId: string, name: string): Promise<void> {
  return context.serial(appId, async () => {
    await context.runtime.claimHome(appId);
    await store.deleteClass(context.platform.database, await classOf(context, appId, name));
    context.changed(appId);
    await removeRemains(context, appId);
  });
}

/** Removes the storage of an app's deleted classes while no process has it. */
async function removeRemains(context: ActorContext, appId: string): Promise<void> {
  const { database } = context.platform;
  const remains = await store.selectRemains(database, appId);
  if (remains.length === 0) return;
  // The process that is started afterwards loads the program anew, without those classes.
  await context.runtime.engine.exclusive(actorsOf(appId), async (storageDir) => {
    for (const { unique_key } of remains) await files.removeClass(storageDir, unique_key);
  });
  for (const { unique_key } of remains) await store.deleteRemains(database, unique_key);
}

const INTERRUPTED = "The server was stopped during the deploy. Deploy again.";

/** Finishes what a crash interrupted. An app whose storage is on another node is left to that one. */
export async function recover(context: ActorContext): Promise<void> {
  const { database, log } = context.platform;
  const [interrupted, remains] = await Promise.all([
    store.selectInterrupted(database),
    store.selectRemains(database, null),
  ]);
  for (const appId of new Set([...interrupted, ...remains.map(({ app_id }) => app_id)])) {
    try {
      await context.runtime.claimHome(appId);
      await store.settleInterrupted(database, appId, INTERRUPTED);
      await context.serial(appId, () => removeRemains(context, appId));
    } catch (error) {
      log.warn(
        { app: appId, error: (error as Error).message },
        "what a stop interrupted could not be finished yet",
      );
    }
  }
}
