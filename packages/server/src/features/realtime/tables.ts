import type { Database, Queryable } from "../../engines/postgres/database.ts";
import { isOn, mendsFor } from "./drift.ts";
import { realtimeErrors } from "./errors.ts";
import { limits } from "./limits.ts";
import { BROADCAST, WATCHED } from "./publications.ts";
import * as store from "./store.ts";

/** A table as configure answers about it. */
export interface EnabledTable {
  readonly table: string;
  /** Row-level security is off: every caller who may select sees every change. */
  readonly open: boolean;
}

/** SQLSTATE of a statement that waited too long for a lock. */
const LOCK_NOT_AVAILABLE = "55P03";

/**
 * Switches tables on, all or none; those that are on stay as they are.
 * Throws VALIDATION_TABLE_NOT_FOUND, REALTIME_PRIMARY_KEY_REQUIRED, REALTIME_TABLE_BUSY.
 */
export async function enableTables(
  database: Database,
  appId: string,
  names: readonly string[],
): Promise<EnabledTable[]> {
  return exclusively(database, appId, async (tx) => {
    const facts = new Map((await store.selectFacts(tx, appId)).map((table) => [table.name, table]));
    const recorded = new Map(
      (await store.selectRecorded(tx, appId)).map((row) => [row.table_name, row.table_oid]),
    );
    const missing = names.filter((name) => !facts.has(name));
    if (missing.length > 0) {
      throw realtimeErrors.VALIDATION_TABLE_NOT_FOUND({
        message: `The app has no ${missing.length === 1 ? "table" : "tables"} ${missing.join(", ").slice(0, 500)}.`,
        details: { missing_tables: missing },
      });
    }
    const tables = names.map((name) => facts.get(name)!);
    const keyless = tables.filter((table) => !table.hasKey).map((table) => table.name);
    if (keyless.length > 0)
      throw realtimeErrors.REALTIME_PRIMARY_KEY_REQUIRED({ details: { tables: keyless } });
    const fresh = tables.filter((table) => !isOn(table) || recorded.get(table.name) !== table.oid);
    for (const table of fresh) await capture(tx, appId, table);
    if (fresh.length > 0) {
      await watchDependencies(tx, appId);
      await store.announce(
        tx,
        appId,
        fresh.map((table) => table.name),
      );
    }
    return tables.map((table) => ({ table: table.name, open: !table.rls }));
  });
}

/** Switches a table off; nothing happens if it is not on. */
export async function disableTable(database: Database, appId: string, name: string): Promise<void> {
  await exclusively(database, appId, async (tx) => {
    if (!(await store.deleteRecorded(tx, appId, name))) return;
    const table = (await store.selectFacts(tx, appId)).find((facts) => facts.name === name);
    const watched = (await watchDependencies(tx, appId)).watched;
    if (table?.published) {
      if (!watched.has(name)) await store.setReplicaIdentity(tx, appId, name, "default");
      await store.unpublish(tx, BROADCAST, appId, name);
    }
    await store.announce(tx, appId, []);
  });
}

/** Makes what is recorded and what is captured agree after a change of the schema or of policies. */
export async function mendTables(database: Database, appId: string): Promise<void> {
  if ((await store.selectRecorded(database, appId)).length === 0) return;
  await exclusively(database, appId, async (tx) => {
    const mends = mendsFor(await store.selectRecorded(tx, appId), await store.selectFacts(tx, appId));
    const resync = new Set<string>();
    // All old names first: tables may have swapped theirs.
    for (const mend of mends) if (mend.kind !== "enable") await store.deleteRecorded(tx, appId, mend.name);
    for (const mend of mends) {
      if (mend.kind === "rename") await store.upsertRecorded(tx, appId, mend.to.name, mend.to.oid);
      if (mend.kind !== "enable") continue;
      await capture(tx, appId, mend.table);
      resync.add(mend.table.name);
    }
    const { nowWatchedFor, changed } = await watchDependencies(tx, appId);
    for (const name of nowWatchedFor) resync.add(name);
    if (mends.length > 0 || changed) await store.announce(tx, appId, [...resync]);
  });
}

/** Makes the log carry the table in full from here on: nobody can be writing to it while this is done. */
async function capture(tx: Queryable, appId: string, table: store.TableFacts): Promise<void> {
  await store.setReplicaIdentity(tx, appId, table.name, "full");
  if (!table.published) await store.publish(tx, BROADCAST, appId, table.name);
  await store.upsertRecorded(tx, appId, table.name, table.oid);
}

/** Has the log carry exactly those further tables that policies of the app's broadcast tables read. */
async function watchDependencies(
  tx: Queryable,
  appId: string,
): Promise<{ watched: ReadonlySet<string>; nowWatchedFor: Set<string>; changed: boolean }> {
  const facts = new Map((await store.selectFacts(tx, appId)).map((table) => [table.oid, table]));
  const roots = (await store.selectRecorded(tx, appId)).map((row) => row.table_oid);
  const wanted = await store.selectDependencies(tx, appId, roots);
  const watched = await store.selectWatched(tx, appId);
  const names = new Set(wanted.map((dependency) => dependency.name));
  const added = [...names].filter((name) => !watched.has(name)).sort();
  for (const name of added) {
    await store.setReplicaIdentity(tx, appId, name, "full");
    await store.publish(tx, WATCHED, appId, name);
  }
  const removed = [...watched].filter((name) => !names.has(name));
  for (const name of removed) {
    await store.unpublish(tx, WATCHED, appId, name);
    const table = [...facts.values()].find((each) => each.name === name);
    if (table !== undefined && !table.published) await store.setReplicaIdentity(tx, appId, name, "default");
  }
  const nowWatchedFor = wanted
    .filter(({ name }) => added.includes(name))
    .map(({ root }) => facts.get(root)!.name);
  return {
    watched: names,
    nowWatchedFor: new Set(nowWatchedFor),
    changed: added.length + removed.length > 0,
  };
}

/** A transaction that has the app's configuration to itself and does not wait long for a table. */
async function exclusively<T>(
  database: Database,
  appId: string,
  work: (tx: Queryable) => Promise<T>,
): Promise<T> {
  try {
    return await database.transaction(async (tx) => {
      await tx.query("select set_config('lock_timeout', $1, true)", [`${limits.tableLockMs}ms`]);
      await store.lockApp(tx, appId);
      return work(tx);
    });
  } catch (error) {
    if ((error as { code?: string }).code !== LOCK_NOT_AVAILABLE) throw error;
    throw realtimeErrors.REALTIME_TABLE_BUSY({ cause: error, headers: { "Retry-After": "5" } });
  }
}
