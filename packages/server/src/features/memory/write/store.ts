import type { Queryable } from "../../../engines/postgres/database.ts";
import type { JsonObject } from "../../ledger/service.ts";
import type { MemoryRecord, RecordKind } from "../types.ts";
import type { Identity } from "./shape.ts";

/** The columns of a record, as `recordOf` reads them. */
export const RECORD_COLUMNS =
  "r.id, r.kind, r.subtype, r.title, r.body, r.status, r.data, r.source_app_id, r.action_id, r.created_by_action, r.version, r.created_at, r.updated_at";

/** A row of `memory_records`. */
export type RecordRow = Omit<MemoryRecord, "created_at" | "updated_at"> & {
  readonly created_at: Date;
  readonly updated_at: Date;
};

export const recordOf = (row: RecordRow): MemoryRecord => ({
  ...row,
  created_at: row.created_at.toISOString(),
  updated_at: row.updated_at.toISOString(),
});

/**
 * How a record is held until the commit: `use` lets others change but not remove it, `change` lets others use it,
 * `remove` lets nobody near it.
 */
export type Hold = "use" | "change" | "remove";

// Everybody takes entities first and then the rest by id, so that nobody waits for somebody who waits for them.
const ORDERED = "order by (r.kind <> 'entity'), r.id for";
const LOCK: Readonly<Record<Hold, string>> = {
  use: `${ORDERED} key share`,
  change: `${ORDERED} no key update`,
  remove: `${ORDERED} update`,
};
const SELECT = `select ${RECORD_COLUMNS} from ambit.memory_records r where r.organization_id = $1`;

/** Those of the records that are there, held as asked for. */
export async function holdRecords(
  db: Queryable,
  organizationId: string,
  ids: readonly string[],
  hold: Hold,
): Promise<MemoryRecord[]> {
  const rows = await db.query<RecordRow>(`${SELECT} and r.id = any($2) ${LOCK[hold]}`, [organizationId, ids]);
  return rows.map(recordOf);
}

/** Ids and kinds of the records these ids lead to, merged entities to their winners; they stay there until the commit. */
export function useRecords(
  db: Queryable,
  organizationId: string,
  ids: readonly string[],
): Promise<{ id: string; kind: RecordKind }[]> {
  return db.query(
    `select r.id, r.kind from ambit.memory_records r where r.organization_id = $1 and r.id = any(array(
       select coalesce(a.entity_id, asked.id) from unnest($2::text[]) as asked(id)
       left join ambit.memory_aliases a on a.organization_id = $1 and a.alias_id = asked.id)) ${LOCK.use}`,
    [organizationId, ids],
  );
}

/** Rows `i` of those identities in a parameter that somebody has; the limit has each looked up by its key. */
const KEYS = (parameter: string) =>
  `jsonb_to_recordset(${parameter}::jsonb) as k(type text, name text, value text) cross join lateral (
     select * from ambit.memory_identities o where o.organization_id = $1
       and (o.type, o.name, o.value) = (k.type, k.name, k.value) limit 1) as i`;

/** The records with this id or any of these identities, held for a change. */
export async function holdKnownBy(
  db: Queryable,
  organizationId: string,
  id: string | null,
  identities: readonly Identity[],
): Promise<MemoryRecord[]> {
  const rows = await db.query<RecordRow>(
    `${SELECT} and r.id = any(array(
       select i.entity_id from ${KEYS("$3")} union select $2::text where $2::text is not null)) ${LOCK.change}`,
    [organizationId, id, JSON.stringify(identities)],
  );
  return rows.map(recordOf);
}

/** Which of the identities somebody has, and who. */
export function selectOwners(
  db: Queryable,
  organizationId: string,
  identities: readonly Identity[],
): Promise<(Identity & { id: string; title: string; action_id: string })[]> {
  return db.query(
    `select i.type, i.name, i.value, r.id, r.title, r.action_id from ${KEYS("$2")}
     join ambit.memory_records r on r.organization_id = $1 and r.id = i.entity_id`,
    [organizationId, JSON.stringify(identities)],
  );
}

/** Into which entity each of these ids was merged. */
export async function selectAliases(
  db: Queryable,
  organizationId: string,
  ids: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const rows = await db.query<{ alias_id: string; entity_id: string }>(
    "select alias_id, entity_id from ambit.memory_aliases where organization_id = $1 and alias_id = any($2)",
    [organizationId, ids],
  );
  return new Map(rows.map(({ alias_id, entity_id }) => [alias_id, entity_id]));
}

/** Ids and kinds of records that refer to this one, in order, at most `limit`. */
export function selectReferrers(
  db: Queryable,
  organizationId: string,
  id: string,
  limit: number,
): Promise<{ id: string; kind: RecordKind; field: string }[]> {
  return db.query(
    `select f.from_id as id, r.kind, f.field from ambit.memory_references f
     join ambit.memory_records r on r.organization_id = f.organization_id and r.id = f.from_id
     where f.organization_id = $1 and f.to_id = $2 order by f.from_id, f.field limit $3`,
    [organizationId, id, limit],
  );
}

/** Principles that constrain something, oldest first. */
export function selectPrinciples(
  db: Queryable,
  organizationId: string,
): Promise<{ id: string; data: JsonObject }[]> {
  return db.query(
    `select id, data from ambit.memory_records
     where organization_id = $1 and kind = 'decision' and subtype = 'principle' and status = 'active'
       and data ? 'constraint_spec' order by id`,
    [organizationId],
  );
}
