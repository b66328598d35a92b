import type { Queryable } from "../../engines/postgres/database.ts";
import type { AccessMode } from "./names.ts";

export type Status = "PENDING" | "BUILDING" | "READY" | "ERROR";

export interface ClassRow {
  /** Also the name of its directory of instances. */
  readonly id: string;
  readonly app_id: string;
  readonly name: string;
  readonly class_name: string | null;
  readonly access_mode: AccessMode;
  readonly status: Status;
  readonly error_message: string | null;
  /** The version that serves; null before the first deploy has succeeded. */
  readonly version: number | null;
  readonly last_deployed_at: Date | null;
  readonly created_at: Date;
  readonly updated_at: Date;
}

export interface VersionRow {
  readonly class_id: string;
  readonly version: number;
  readonly class_name: string;
  readonly code: string;
  readonly compiled: string;
  readonly source_map: string;
  readonly bytes: number;
  readonly compressed_bytes: number;
  readonly deployed_by: string | null;
  readonly created_at: Date;
}

/** A version without its code. */
export type VersionHead = Omit<VersionRow, "code" | "compiled" | "source_map">;

/** A class that serves, with what is needed to run it. */
export interface ServingRow {
  readonly id: string;
  readonly name: string;
  readonly version: number;
  readonly class_name: string;
  readonly compiled: string;
  readonly compressed_bytes: number;
}

export type ClassPatch = Partial<
  Pick<ClassRow, "class_name" | "access_mode" | "status" | "error_message" | "version" | "last_deployed_at">
>;

export async function selectClass(db: Queryable, appId: string, name: string): Promise<ClassRow | null> {
  const [row] = await db.query<ClassRow>(
    "select * from ambit.durable_objects where app_id = $1 and name = $2",
    [appId, name],
  );
  return row ?? null;
}

export function selectClasses(db: Queryable, appId: string): Promise<ClassRow[]> {
  return db.query<ClassRow>("select * from ambit.durable_objects where app_id = $1 order by name", [appId]);
}

/** Classes of an app that have a version, in the order of their names. */
export function selectServing(db: Queryable, appId: string): Promise<ServingRow[]> {
  return db.query<ServingRow>(
    `select c.id, c.name, v.version, v.class_name, v.compiled, v.compressed_bytes
     from ambit.durable_objects c
     join ambit.durable_object_versions v on v.class_id = c.id and v.version = c.version
     where c.app_id = $1 order by c.name`,
    [appId],
  );
}

/** Inserts a class that is being made; null when the app has one of that name. */
export async function insertClass(
  db: Queryable,
  row: Pick<ClassRow, "id" | "app_id" | "name" | "access_mode">,
): Promise<ClassRow | null> {
  const [inserted] = await db.query<ClassRow>(
    `insert into ambit.durable_objects (id, app_id, name, access_mode, status)
     values ($1, $2, $3, $4, 'BUILDING') on conflict (app_id, name) do nothing returning *`,
    [row.id, row.app_id, row.name, row.access_mode],
  );
  return inserted ?? null;
}

/** The changed row, or null when the class is gone. */
export async function updateClass(db: Queryable, id: string, patch: ClassPatch): Promise<ClassRow | null> {
  const fields = Object.entries(patch).filter(([, value]) => value !== undefined);
  const assignments = fields.map(([column], i) => `${column} = $${i + 2}, `).join("");
  const [row] = await db.query<ClassRow>(
    `update ambit.durable_objects set ${assignments}updated_at = now() where id = $1 returning *`,
    [id, ...fields.map(([, value]) => value)],
  );
  return row ?? null;
}

/** Deletes a class with its versions and leaves a note of its storage; false when it is gone already. */
export async function deleteClass(db: Queryable, { id, app_id }: ClassRow): Promise<boolean> {
  const deleted = await db.query(
    `with gone as (delete from ambit.durable_objects where id = $1 returning id)
     insert into ambit.durable_object_remains (unique_key, app_id) select id::text, $2 from gone returning 1`,
    [id, app_id],
  );
  return deleted.length > 0;
}

/** Removes classes of an app that never came to serve. */
export async function deleteNeverServed(db: Queryable, appId: string): Promise<void> {
  await db.query("delete from ambit.durable_objects where app_id = $1 and version is null", [appId]);
}

/** Apps with a first deploy of a class that has not ended. */
export async function selectInterrupted(db: Queryable): Promise<string[]> {
  const rows = await db.query<{ app_id: string }>(
    "select distinct app_id from ambit.durable_objects where status in ('PENDING', 'BUILDING')",
  );
  return rows.map(({ app_id }) => app_id);
}

/** Says of an app's first deploys that were interrupted how they ended: those that had come to serve go on. */
export async function settleInterrupted(db: Queryable, appId: string, reason: string): Promise<void> {
  await db.query(
    `update ambit.durable_objects set updated_at = now(),
       status = case when version is null then 'ERROR' else 'READY' end,
       error_message = case when version is null then $2 end
     where app_id = $1 and status in ('PENDING', 'BUILDING')`,
    [appId, reason],
  );
}

export function selectRemains(
  db: Queryable,
  appId: string | null,
): Promise<{ unique_key: string; app_id: string }[]> {
  return db.query(
    "select unique_key, app_id from ambit.durable_object_remains where $1::text is null or app_id = $1",
    [appId],
  );
}

export async function deleteRemains(db: Queryable, uniqueKey: string): Promise<void> {
  await db.query("delete from ambit.durable_object_remains where unique_key = $1", [uniqueKey]);
}

/** Adds the next version of a class and forgets the oldest ones beyond `keep`. */
export async function insertVersion(
  db: Queryable,
  row: Omit<VersionRow, "version" | "created_at">,
  keep: number,
): Promise<number> {
  const [{ version } = { version: 0 }] = await db.query<{ version: number }>(
    `insert into ambit.durable_object_versions
       (class_id, version, class_name, code, compiled, source_map, bytes, compressed_bytes, deployed_by)
     select $1::uuid, coalesce(max(version), 0) + 1, $2, $3, $4, $5, $6::int, $7::int, $8
     from ambit.durable_object_versions where class_id = $1 returning version`,
    [
      row.class_id,
      row.class_name,
      row.code,
      row.compiled,
      row.source_map,
      row.bytes,
      row.compressed_bytes,
      row.deployed_by,
    ],
  );
  await db.query(
    `delete from ambit.durable_object_versions v using ambit.durable_objects c
     where v.class_id = $1 and c.id = v.class_id and v.version <= $2 and v.version is distinct from c.version`,
    [row.class_id, version - keep],
  );
  return version;
}

export async function deleteVersion(db: Queryable, classId: string, version: number): Promise<void> {
  await db.query("delete from ambit.durable_object_versions where class_id = $1 and version = $2", [
    classId,
    version,
  ]);
}

export async function selectVersion(
  db: Queryable,
  classId: string,
  version: number,
): Promise<VersionRow | null> {
  const [row] = await db.query<VersionRow>(
    "select * from ambit.durable_object_versions where class_id = $1 and version = $2",
    [classId, version],
  );
  return row ?? null;
}

/** Newest first. */
export function selectVersions(db: Queryable, classId: string): Promise<VersionHead[]> {
  return db.query<VersionHead>(
    `select class_id, version, class_name, bytes, compressed_bytes, deployed_by, created_at
     from ambit.durable_object_versions where class_id = $1 order by version desc`,
    [classId],
  );
}

/** Sealed values by key. */
export async function selectEnv(db: Queryable, appId: string): Promise<Map<string, string>> {
  const rows = await db.query<{ key: string; value: string }>(
    "select key, value from ambit.durable_object_env where app_id = $1 order by key",
    [appId],
  );
  return new Map(rows.map(({ key, value }) => [key, value]));
}

export async function upsertEnv(db: Queryable, appId: string, key: string, sealed: string): Promise<void> {
  await db.query(
    `insert into ambit.durable_object_env (app_id, key, value) values ($1, $2, $3)
     on conflict (app_id, key) do update set value = excluded.value, updated_at = now()`,
    [appId, key, sealed],
  );
}

export async function deleteEnv(db: Queryable, appId: string, key: string): Promise<void> {
  await db.query("delete from ambit.durable_object_env where app_id = $1 and key = $2", [appId, key]);
}
