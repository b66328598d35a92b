import type { Queryable, Transaction } from "../../../engines/postgres/database.ts";
import { limits } from "../limits.ts";
import type { MemoryRecord } from "../types.ts";
import type { EntityData } from "./data.ts";
import { erasedRecord } from "./erasure.ts";
import { identityKey, tiesOf } from "./shape.ts";
import { holdRecords, selectAliases } from "./store.ts";

/**
 * Erases values of a record wherever the memory keeps them: as it is, in every version there was, in those of entities
 * merged into it, and among the keys it is found by. `fields` null erases all that can be. Returns how many rows said
 * something that is erased now; 0 when nothing is known of the record.
 */
export async function eraseRecord(
  tx: Transaction,
  organizationId: string,
  recordId: string,
  fields: readonly string[] | null,
): Promise<number> {
  const winner = (await selectAliases(tx, organizationId, [recordId])).get(recordId) ?? recordId;
  const [record] = await holdRecords(tx, organizationId, [winner], "remove");
  const merged = record?.kind === "entity" ? (record.data as EntityData).merged_ids : [];
  let erased = 0;
  if (record !== undefined) erased += await eraseCurrent(tx, organizationId, record, fields);
  for (const id of [winner, ...merged]) erased += await eraseVersions(tx, organizationId, id, fields);
  return erased;
}

async function eraseCurrent(
  tx: Queryable,
  organizationId: string,
  record: MemoryRecord,
  fields: readonly string[] | null,
): Promise<number> {
  const after = erasedRecord(record, fields);
  if (after === record) return 0;
  await tx.query(
    "update ambit.memory_records set title = $3, body = $4, data = $5 where organization_id = $1 and id = $2",
    [organizationId, record.id, after.title, after.body, JSON.stringify(after.data)],
  );
  const kept = new Set(tiesOf(after.kind, after.data).identities.map(identityKey));
  const gone = tiesOf(record.kind, record.data).identities.filter((each) => !kept.has(identityKey(each)));
  await tx.query(
    `delete from ambit.memory_identities i
     using jsonb_to_recordset($3::jsonb) as x(type text, name text, value text)
     where i.organization_id = $1 and i.entity_id = $2 and (i.type, i.name, i.value) = (x.type, x.name, x.value)`,
    [organizationId, record.id, JSON.stringify(gone)],
  );
  return 1;
}

async function eraseVersions(
  tx: Queryable,
  organizationId: string,
  recordId: string,
  fields: readonly string[] | null,
): Promise<number> {
  let erased = 0;
  for (let after = 0; ; ) {
    const rows = await tx.query<{ version: number; state: MemoryRecord | null }>(
      `select version, state from ambit.memory_versions
       where organization_id = $1 and record_id = $2 and version > $3 order by version limit $4`,
      [organizationId, recordId, after, limits.versionsPerStatement],
    );
    const last = rows.at(-1);
    if (last === undefined) return erased;
    after = last.version;
    const changed = rows.flatMap(({ version, state }) => {
      const blanked = state === null ? null : erasedRecord(state, fields);
      return blanked === state ? [] : [{ version, state: blanked }];
    });
    erased += changed.length;
    await tx.query(
      `update ambit.memory_versions v set state = x.state
       from jsonb_to_recordset($3::jsonb) as x(version int, state jsonb)
       where v.organization_id = $1 and v.record_id = $2 and v.version = x.version`,
      [organizationId, recordId, JSON.stringify(changed)],
    );
  }
}
