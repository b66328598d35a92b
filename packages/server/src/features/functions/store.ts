import type { Queryable } from "../../engines/postgres/database.ts";

/** A function without its code. */
export interface FunctionRow {
  readonly id: string;
  readonly app_id: string;
  readonly name: string;
  readonly description: string | null;
  readonly version: number;
  readonly env: Record<string, string>;
  readonly timeout_ms: number;
  readonly memory_limit_mb: number;
  readonly run_as: "caller" | "service";
  readonly allow_service_key_impersonation: boolean;
  readonly agent_tool: boolean;
  readonly agent_tool_description: string | null;
  readonly agent_tool_mode: "read_only" | "read_write" | null;
  readonly agent_tool_exposed_to: "developer_only" | "end_user" | null;
  readonly created_at: Date;
  readonly deployed_at: Date;
  readonly updated_at: Date;
  readonly deleted_at: Date | null;
}

export interface TriggerRow {
  readonly function_id: string;
  readonly type: "http" | "cron" | "webhook" | "websocket";
  readonly config: Record<string, unknown>;
  readonly secret: string | null;
  readonly enabled: boolean;
}

export interface VersionRow {
  readonly function_id: string;
  readonly version: number;
  readonly code: string;
  readonly compiled: string;
  readonly source_map: string;
  readonly entry: "handler" | "default";
  readonly deployed_by: string | null;
  readonly created_at: Date;
}

/** What may be changed of a function that is there. */
export type FunctionPatch = Partial<Omit<FunctionRow, "id" | "app_id" | "name" | "created_at">>;

/** How often an app's functions have been changed, and how often what their process runs. */
export interface Revision {
  readonly revision: number;
  readonly build: number;
}

export async function selectRevision(db: Queryable, appId: string): Promise<Revision> {
  const [row] = await db.query<{ revision: string; build: string }>(
    "select revision, build from ambit.function_apps where app_id = $1",
    [appId],
  );
  return { revision: Number(row?.revision ?? 0), build: Number(row?.build ?? 0) };
}

/**
 * Counts up from `expected`; null when somebody else has changed the functions since. The row is held until the end of
 * `tx`.
 */
export async function advanceRevision(
  tx: Queryable,
  appId: string,
  expected: number,
  builds: boolean,
): Promise<Revision | null> {
  await tx.query("insert into ambit.function_apps (app_id) values ($1) on conflict do nothing", [appId]);
  const [row] = await tx.query<{ revision: string; build: string }>(
    `update ambit.function_apps set revision = revision + 1, build = build + $3
     where app_id = $1 and revision = $2 returning revision, build`,
    [appId, expected, builds ? 1 : 0],
  );
  return row === undefined ? null : { revision: Number(row.revision), build: Number(row.build) };
}

export function selectFunctions(db: Queryable, appId: string): Promise<FunctionRow[]> {
  return db.query<FunctionRow>(
    "select * from ambit.functions where app_id = $1 and deleted_at is null order by name",
    [appId],
  );
}

export async function selectFunction(
  db: Queryable,
  appId: string,
  name: string,
): Promise<FunctionRow | null> {
  const [row] = await db.query<FunctionRow>(
    "select * from ambit.functions where app_id = $1 and name = $2 and deleted_at is null",
    [appId, name],
  );
  return row ?? null;
}

/** Whether there once was a function of that name. */
export async function wasDeleted(db: Queryable, appId: string, name: string): Promise<boolean> {
  const rows = await db.query(
    "select 1 from ambit.functions where app_id = $1 and name = $2 and deleted_at is not null limit 1",
    [appId, name],
  );
  return rows.length > 0;
}

const JSON_COLUMNS = new Set(["env"]);

export async function insertFunction(db: Queryable, row: Omit<FunctionRow, "deleted_at">): Promise<void> {
  const fields = Object.entries(row);
  await db.query(
    `insert into ambit.functions (${fields.map(([column]) => column).join(", ")})
     values (${fields.map((_, i) => `$${i + 1}`).join(", ")})`,
    fields.map(([column, value]) => (JSON_COLUMNS.has(column) ? JSON.stringify(value) : value)),
  );
}

export async function updateFunction(db: Queryable, id: string, patch: FunctionPatch): Promise<void> {
  const fields = Object.entries(patch).filter(([, value]) => value !== undefined);
  if (fields.length === 0) return;
  await db.query(
    `update ambit.functions set ${fields.map(([column], i) => `${column} = $${i + 2}`).join(", ")} where id = $1`,
    [id, ...fields.map(([column, value]) => (JSON_COLUMNS.has(column) ? JSON.stringify(value) : value))],
  );
}

export async function insertVersion(db: Queryable, row: VersionRow): Promise<void> {
  await db.query(
    `insert into ambit.function_versions
       (function_id, version, code, compiled, source_map, entry, deployed_by, created_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8)`,
    [
      row.function_id,
      row.version,
      row.code,
      row.compiled,
      row.source_map,
      row.entry,
      row.deployed_by,
      row.created_at,
    ],
  );
}

/** Removes a function as if it had never been deployed. */
export async function eraseFunction(db: Queryable, id: string): Promise<void> {
  await db.query("delete from ambit.functions where id = $1", [id]);
}

/** Removes functions that were deleted before, with their versions. */
export async function eraseDeleted(db: Queryable, before: Date): Promise<void> {
  await db.query("delete from ambit.functions where deleted_at < $1", [before]);
}

export async function deleteVersion(db: Queryable, functionId: string, version: number): Promise<void> {
  await db.query("delete from ambit.function_versions where function_id = $1 and version = $2", [
    functionId,
    version,
  ]);
}

/** Forgets all but the newest `keep` versions, and never the one that is served. */
export async function pruneVersions(db: Queryable, functionId: string, keep: number): Promise<void> {
  await db.query(
    `delete from ambit.function_versions v using ambit.functions f
     where f.id = v.function_id and f.id = $1 and v.version <> f.version and v.version <=
       (select version from ambit.function_versions where function_id = $1 order by version desc offset $2 limit 1)`,
    [functionId, keep],
  );
}

export async function selectVersion(
  db: Queryable,
  functionId: string,
  version: number,
): Promise<VersionRow | null> {
  const [row] = await db.query<VersionRow>(
    "select * from ambit.function_versions where function_id = $1 and version = $2",
    [functionId, version],
  );
  return row ?? null;
}

export function selectVersions(
  db: Queryable,
  functionId: string,
): Promise<Pick<VersionRow, "version" | "deployed_by" | "created_at">[]> {
  return db.query(
    "select version, deployed_by, created_at from ambit.function_versions where function_id = $1 order by version desc",
    [functionId],
  );
}

export async function selectLastVersion(db: Queryable, functionId: string): Promise<number> {
  const [row] = await db.query<{ last: number | null }>(
    "select max(version) as last from ambit.function_versions where function_id = $1",
    [functionId],
  );
  return row?.last ?? 0;
}

/** What the app's functions run now, by function id. */
export function selectServed(
  db: Queryable,
  appId: string,
): Promise<Pick<VersionRow, "function_id" | "compiled" | "entry">[]> {
  return db.query(
    `select v.function_id, v.compiled, v.entry from ambit.functions f
     join ambit.function_versions v on v.function_id = f.id and v.version = f.version
     where f.app_id = $1 and f.deleted_at is null`,
    [appId],
  );
}

export function selectTriggers(db: Queryable, appId: string): Promise<TriggerRow[]> {
  return db.query<TriggerRow>(
    `select t.* from ambit.function_triggers t join ambit.functions f on f.id = t.function_id
     where f.app_id = $1 and f.deleted_at is null order by t.type`,
    [appId],
  );
}

export async function replaceTriggers(
  db: Queryable,
  functionId: string,
  rows: readonly Omit<TriggerRow, "function_id">[],
): Promise<void> {
  await db.query("delete from ambit.function_triggers where function_id = $1", [functionId]);
  for (const row of rows) {
    await db.query(
      "insert into ambit.function_triggers (function_id, type, config, secret, enabled) values ($1, $2, $3, $4, $5)",
      [functionId, row.type, JSON.stringify(row.config), row.secret, row.enabled],
    );
  }
}
