import type { Queryable } from "../../../engines/postgres/database.ts";
import { limits } from "../limits.ts";
import type { MemoryRecord, RecordKind } from "../types.ts";

/** A version an action made. */
export interface MadeVersion {
  readonly action_id: string;
  readonly record_id: string;
  readonly version: number;
  readonly known_from: Date;
}

/** The versions these actions made, the latest first. */
export function selectMade(
  db: Queryable,
  organizationId: string,
  actionIds: readonly string[],
): Promise<MadeVersion[]> {
  return db.query(
    `select action_id, record_id, version, known_from from ambit.memory_versions
     where organization_id = $1 and action_id = any($2) order by known_from desc, action_id desc, version desc`,
    [organizationId, actionIds],
  );
}

/** The states before these versions. */
export async function selectStatesBefore(
  db: Queryable,
  organizationId: string,
  made: readonly MadeVersion[],
): Promise<MemoryRecord[]> {
  const rows = await db.query<{ state: MemoryRecord }>(
    `select v.state from unnest($2::text[], $3::int[]) as made(record_id, version)
     join ambit.memory_versions v on v.organization_id = $1 and v.record_id = made.record_id
       and v.version = made.version - 1 and v.state is not null`,
    [organizationId, made.map(({ record_id }) => record_id), made.map(({ version }) => version)],
  );
  return rows.map(({ state }) => state);
}

/** Holds versions of records that may have no row of their own any more: whoever changes such a record closes its last. */
export async function holdVersions(
  db: Queryable,
  organizationId: string,
  recordIds: readonly string[],
): Promise<void> {
  await db.query(
    `select from ambit.memory_versions where organization_id = $1 and record_id = any($2) and known_until is null
     order by record_id for update`,
    [organizationId, recordIds],
  );
}

export interface VersionRow {
  readonly record_id: string;
  readonly kind: RecordKind;
  readonly version: number;
  readonly action_id: string;
  readonly restores: number | null;
  readonly known_from: Date;
  /** Whether `state` was asked for; a version of a record that is gone has none. */
  readonly with_state: boolean;
  readonly state: MemoryRecord | null;
}

/**
 * Versions of records, ascending, from the first that is wanted of each: the last `limits.laterVersions`, and those
 * wanted. With their state: the last, and those wanted.
 */
export function selectVersions(
  db: Queryable,
  organizationId: string,
  recordIds: readonly string[],
  wanted: readonly { readonly record_id: string; readonly version: number }[],
): Promise<VersionRow[]> {
  return db.query(
    `with wanted as (select * from jsonb_to_recordset($3::jsonb) as w(record_id text, version int))
     select v.record_id, v.kind, v.version, v.action_id, v.restores, v.known_from, s.with_state,
       case when s.with_state then v.state end as state
     from unnest($2::text[]) as asked(id)
     cross join lateral (
       select min(version) as first from wanted where record_id = asked.id
     ) as w
     cross join lateral (
       select max(version) as last from ambit.memory_versions where organization_id = $1 and record_id = asked.id
     ) as m
     join ambit.memory_versions v on v.organization_id = $1 and v.record_id = asked.id and v.version >= w.first
       and (v.version > m.last - $4::int or (v.record_id, v.version) in (select record_id, version from wanted))
     cross join lateral (select v.known_until is null
       or (v.record_id, v.version) in (select record_id, version from wanted) as with_state) as s
     order by v.record_id, v.version`,
    [organizationId, recordIds, JSON.stringify(wanted), limits.laterVersions],
  );
}

/** A record that names another, with the action that had it do so. */
export interface ReferrerRow {
  readonly to_id: string;
  readonly id: string;
  readonly kind: RecordKind;
  readonly action_id: string;
}

/** Records that name one of these, without those in `except`; for each at most `limits.listed`. */
export function selectReferrersOf(
  db: Queryable,
  organizationId: string,
  ids: readonly string[],
  except: readonly string[],
): Promise<ReferrerRow[]> {
  return db.query(
    `select asked.id as to_id, f.from_id as id, r.kind, coalesce(v.action_id, r.action_id) as action_id
     from unnest($2::text[]) as asked(id)
     cross join lateral (
       select distinct from_id from ambit.memory_references
       where organization_id = $1 and to_id = asked.id and from_id <> all($3) order by from_id limit $4
     ) as f
     join ambit.memory_records r on r.organization_id = $1 and r.id = f.from_id
     left join lateral (
       select action_id from ambit.memory_versions
       where organization_id = $1 and record_id = f.from_id and strpos(state ->> 'data', asked.id) > 0
       order by version limit 1
     ) as v on true`,
    [organizationId, ids, except, limits.listed],
  );
}

/** Those of the records that are there. */
export async function selectPresent(
  db: Queryable,
  organizationId: string,
  ids: readonly string[],
): Promise<string[]> {
  const rows = await db.query<{ id: string }>(
    "select id from ambit.memory_records where organization_id = $1 and id = any($2)",
    [organizationId, ids],
  );
  return rows.map(({ id }) => id);
}

/** The last version of each of these records. */
export function selectLast(
  db: Queryable,
  organizationId: string,
  ids: readonly string[],
): Promise<{ id: string; kind: RecordKind; action_id: string }[]> {
  return db.query(
    `select record_id as id, kind, action_id from ambit.memory_versions
     where organization_id = $1 and record_id = any($2) and known_until is null`,
    [organizationId, ids],
  );
}
