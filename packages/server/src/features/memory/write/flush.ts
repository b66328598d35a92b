import type { Queryable } from "../../../engines/postgres/database.ts";
import type { MemoryRecord, RecordKind } from "../types.ts";
import type { Identity } from "./shape.ts";

/** A record as it is to be from now on. */
export interface WrittenRecord {
  readonly record: MemoryRecord;
  /** See `memory_versions.restores`. */
  readonly restores: number | null;
}

/** A record that is to be gone. */
export interface RemovedRecord {
  readonly id: string;
  readonly kind: RecordKind;
  /** The version that says so. */
  readonly version: number;
  /** ISO 8601. */
  readonly at: string;
  readonly restores: number | null;
}

export type ReferenceRow = { readonly from_id: string; readonly field: string; readonly to_id: string };
export type IdentityRow = Identity & { readonly entity_id: string };
export type AliasRow = { readonly alias_id: string; readonly entity_id: string };

/** What goes away in one statement. */
export interface Removal {
  readonly records: readonly RemovedRecord[];
  readonly references: readonly ReferenceRow[];
  readonly identities: readonly IdentityRow[];
  readonly aliases: readonly AliasRow[];
}

/** What is written in one statement. `identities` in the order of `sortedIdentities`. */
export interface Addition {
  readonly records: readonly WrittenRecord[];
  readonly references: readonly ReferenceRow[];
  readonly identities: readonly IdentityRow[];
  readonly aliases: readonly AliasRow[];
}

/** Removes records with everything that belongs to them, and rows that no longer follow from records that stay. */
export async function flushRemoval(
  db: Queryable,
  { organizationId, actionId }: { organizationId: string; actionId: string },
  removal: Removal,
): Promise<void> {
  await db.query(REMOVE, [
    organizationId,
    actionId,
    JSON.stringify(removal.records),
    JSON.stringify(removal.references),
    JSON.stringify(removal.identities),
    removal.aliases.map(({ alias_id }) => alias_id),
  ]);
}

const REMOVE = `
with gone as (
  select g.* from jsonb_to_recordset($3::jsonb) as g(id text, kind text, version int, at timestamptz, restores int)
), refs as (
  delete from ambit.memory_references f
  using jsonb_to_recordset($4::jsonb) as x(from_id text, field text, to_id text)
  where f.organization_id = $1 and (f.from_id, f.field, f.to_id) = (x.from_id, x.field, x.to_id)
), keys as (
  delete from ambit.memory_identities i
  using jsonb_to_recordset($5::jsonb) as x(type text, name text, value text, entity_id text)
  where i.organization_id = $1 and (i.type, i.name, i.value, i.entity_id) = (x.type, x.name, x.value, x.entity_id)
), aliases as (
  delete from ambit.memory_aliases where organization_id = $1 and alias_id = any($6)
), records as (
  delete from ambit.memory_records r using gone where r.organization_id = $1 and r.id = gone.id
), closed as (
  update ambit.memory_versions v set known_until = gone.at from gone
  where v.organization_id = $1 and v.record_id = gone.id and v.version = gone.version - 1
)
insert into ambit.memory_versions (organization_id, record_id, version, kind, action_id, state, known_from, restores)
select $1, gone.id, gone.version, gone.kind, $2, null, gone.at, gone.restores from gone`;

/**
 * Writes records, their versions and what follows from them. Identities come first: if another record has one of them
 * nothing else is written, and the answer names those that were free (and are taken now).
 */
export async function flushAddition(
  db: Queryable,
  organizationId: string,
  addition: Addition,
): Promise<Identity[]> {
  const { records, references, identities, aliases } = addition;
  const keyed = identities.length + aliases.length > 0;
  const replaced = records.map(({ record }) => record).filter(({ version }) => version > 1);
  const values: unknown[] = [organizationId, JSON.stringify(records), JSON.stringify(references)];
  if (keyed) values.push(JSON.stringify(identities), JSON.stringify(aliases));
  if (replaced.length > 0) {
    values.push(
      replaced.map(({ id }) => id),
      replaced.map(({ version }) => version - 1),
      replaced.map(({ updated_at }) => updated_at),
    );
  }
  return db.query<Identity>(WRITE[keyed ? "keyed" : "plain"][replaced.length > 0 ? "any" : "made"], values);
}

const INCOMING = `incoming as (
  select e -> 'record' as state, (e ->> 'restores')::int as restores, r.*
  from jsonb_array_elements($2::jsonb) as e, jsonb_to_record(e -> 'record') as r(id text, kind text, subtype text,
    title text, body text, status text, data jsonb, source_app_id text, action_id text, created_by_action text,
    version int, created_at timestamptz, updated_at timestamptz)`;

const MADE = `written as (
  insert into ambit.memory_records (organization_id, id, kind, subtype, title, body, status, data, source_app_id,
    action_id, created_by_action, version, created_at, updated_at)
  select $1, id, kind, subtype, title, body, status, data, source_app_id, action_id, created_by_action, version,
    created_at, updated_at from incoming`;

/** `ids`, `versions`, `times`: parameters with the versions that end. Arrays, so that few rows are expected of them. */
const madeOrChanged = (ids: string, versions: string, times: string, condition: string) => `${MADE}
  on conflict (organization_id, id) do update set subtype = excluded.subtype, title = excluded.title,
    body = excluded.body, status = excluded.status, data = excluded.data, action_id = excluded.action_id,
    version = excluded.version, updated_at = excluded.updated_at
), closed as (
  update ambit.memory_versions v set known_until = c.at
  from unnest(${ids}::text[], ${versions}::int[], ${times}::timestamptz[]) as c(id, version, at)
  where v.organization_id = $1 and v.record_id = c.id and v.version = c.version ${condition}`;

const VERSIONS = `versions as (
  insert into ambit.memory_versions (organization_id, record_id, version, kind, action_id, state, known_from, restores)
  select $1, id, version, kind, action_id, state, updated_at, restores from incoming
)`;

const REFERENCES = `insert into ambit.memory_references (organization_id, from_id, field, to_id)
  select $1, f.from_id, f.field, f.to_id
  from jsonb_to_recordset($3::jsonb) as f(from_id text, field text, to_id text)`;

const plain = (records: string) => `with ${INCOMING}), ${records}), ${VERSIONS} ${REFERENCES}`;

const IF_FREE = "(select ok from free)";

const keyed = (records: string) => `
with keys as (
  insert into ambit.memory_identities (organization_id, type, name, value, entity_id)
  select $1, k.type, k.name, k.value, k.entity_id
  from jsonb_to_recordset($4::jsonb) as k(type text, name text, value text, entity_id text)
  on conflict do nothing returning type, name, value
), free as (
  select count(*) = jsonb_array_length($4::jsonb) as ok from keys
), ${INCOMING} where ${IF_FREE}
), ${records}
), ${VERSIONS}, refs as (
  ${REFERENCES} where ${IF_FREE}
), aliases as (
  insert into ambit.memory_aliases (organization_id, alias_id, entity_id, action_id)
  select $1, a.alias_id, a.entity_id, (select action_id from incoming limit 1)
  from jsonb_to_recordset($5::jsonb) as a(alias_id text, entity_id text) where ${IF_FREE}
)
select type, name, value from keys`;

/** Most of what is written is new and has no keys; that costs a record, a version and its references, no more. */
const WRITE = {
  plain: { made: plain(MADE), any: plain(madeOrChanged("$4", "$5", "$6", "")) },
  keyed: { made: keyed(MADE), any: keyed(madeOrChanged("$6", "$7", "$8", `and ${IF_FREE}`)) },
} as const;
