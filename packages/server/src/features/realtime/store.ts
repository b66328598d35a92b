import type { Queryable } from "../../engines/postgres/database.ts";
import { quoteIdent } from "../../engines/postgres/quote.ts";
import { DEPENDENCIES } from "./catalog.ts";
import { NOTICE_PREFIX, OWN_NOTICE } from "./messages.ts";
import { BROADCAST, DEFINITIONS, WATCHED } from "./publications.ts";

/** A table of an app as the catalogue has it. */
export interface TableFacts {
  readonly oid: number;
  readonly name: string;
  readonly hasKey: boolean;
  readonly rls: boolean;
  /** The log carries whole old rows of it. */
  readonly full: boolean;
  /** It is in the publication of broadcast tables. */
  readonly published: boolean;
}

/** A table switched on, as recorded. */
export interface RecordedTable {
  readonly table_name: string;
  readonly table_oid: number;
  readonly created_at: Date;
  readonly updated_at: Date;
}

/** Creates the publications that are missing; two nodes at once are fine. */
export async function ensurePublications(db: Queryable): Promise<void> {
  const rows = await db.query<{ pubname: string }>("select pubname from pg_publication");
  const present = new Set(rows.map((row) => row.pubname));
  for (const [name, definition] of Object.entries(DEFINITIONS)) {
    if (present.has(name)) continue;
    await db.query(`create publication ${quoteIdent(name)} ${definition}`).catch((error) => {
      if (error.code !== "42710" && error.code !== "23505") throw error;
    });
  }
}

/** One app's tables are switched on and off by one transaction at a time. */
export async function lockApp(tx: Queryable, appId: string): Promise<void> {
  await tx.query("select pg_advisory_xact_lock(hashtextextended('ambit realtime ' || $1, 0))", [appId]);
}

/** The ordinary tables of an app, but for the reserved ones. */
export function selectFacts(db: Queryable, appId: string): Promise<TableFacts[]> {
  return db.query<TableFacts>(
    `select c.oid, c.relname as name, c.relrowsecurity as rls, c.relreplident = 'f' as full,
       exists (select from pg_index i where i.indrelid = c.oid and i.indisprimary) as "hasKey",
       exists (select from pg_publication_rel m join pg_publication p on p.oid = m.prpubid
               where m.prrelid = c.oid and p.pubname = $2) as published
     from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where n.nspname = $1 and c.relkind = 'r' and c.relpersistence = 'p' and not starts_with(c.relname, '_')`,
    [appId, BROADCAST],
  );
}

export function selectRecorded(db: Queryable, appId: string): Promise<RecordedTable[]> {
  return db.query<RecordedTable>(
    `select table_name, table_oid, created_at, updated_at from ambit.realtime_tables
     where app_id = $1 order by table_name`,
    [appId],
  );
}

/** Apps with at least one table switched on. */
export async function selectApps(db: Queryable): Promise<string[]> {
  const rows = await db.query<{ app_id: string }>("select distinct app_id from ambit.realtime_tables");
  return rows.map((row) => row.app_id);
}

/** Records the table under its name; a table recorded under that name before is replaced. */
export async function upsertRecorded(
  tx: Queryable,
  appId: string,
  table: string,
  oid: number,
): Promise<void> {
  await tx.query(
    `insert into ambit.realtime_tables (app_id, table_name, table_oid) values ($1, $2, $3)
     on conflict (app_id, table_name) do update set table_oid = excluded.table_oid, updated_at = now()`,
    [appId, table, oid],
  );
}

/** True if there was such a record. */
export async function deleteRecorded(tx: Queryable, appId: string, table: string): Promise<boolean> {
  const rows = await tx.query(
    "delete from ambit.realtime_tables where app_id = $1 and table_name = $2 returning 1",
    [appId, table],
  );
  return rows.length > 0;
}

const inApp = (appId: string, table: string) => `${quoteIdent(appId)}.${quoteIdent(table)}`;

/** Makes the log carry whole old rows, or (`default`) only the key. Waits for those who write to the table. */
export async function setReplicaIdentity(
  tx: Queryable,
  appId: string,
  table: string,
  identity: "full" | "default",
): Promise<void> {
  await tx.query(`alter table ${inApp(appId, table)} replica identity ${identity}`);
}

export async function publish(
  tx: Queryable,
  publication: string,
  appId: string,
  table: string,
): Promise<void> {
  await tx.query(`alter publication ${quoteIdent(publication)} add table ${inApp(appId, table)}`);
}

export async function unpublish(
  tx: Queryable,
  publication: string,
  appId: string,
  table: string,
): Promise<void> {
  await tx.query(`alter publication ${quoteIdent(publication)} drop table ${inApp(appId, table)}`);
}

/** Tables that policies of these tables read, each with the tables whose policies those are. */
export async function selectDependencies(
  tx: Queryable,
  appId: string,
  oids: readonly number[],
): Promise<{ root: number; oid: number; name: string }[]> {
  return tx.query(DEPENDENCIES, [oids, appId]);
}

/** Names of the app's tables that are watched. */
export async function selectWatched(tx: Queryable, appId: string): Promise<Set<string>> {
  const rows = await tx.query<{ tablename: string }>(
    "select tablename from pg_publication_tables where pubname = $1 and schemaname = $2",
    [WATCHED, appId],
  );
  return new Set(rows.map((row) => row.tablename));
}

/** Marks the place in the log at which the app's broadcast tables changed. */
export async function announce(tx: Queryable, appId: string, resync: readonly string[]): Promise<void> {
  const content = JSON.stringify({ app: appId, what: OWN_NOTICE, resync });
  await tx.query("select pg_logical_emit_message(true, $1, $2)", [NOTICE_PREFIX, content]);
}

/** What a query sees now, as the text of `pg_current_snapshot()`. */
export async function readSnapshot(db: Queryable): Promise<string> {
  const [row] = await db.query<{ snapshot: string }>("select pg_current_snapshot()::text as snapshot");
  return row!.snapshot;
}
