import type { Queryable } from "../../../engines/postgres/database.ts";
import { selectAliases } from "./store.ts";

/** See `MemoryService.actionsOf`. */
export async function actionsOf(db: Queryable, organizationId: string, recordId: string): Promise<string[]> {
  const winner = (await selectAliases(db, organizationId, [recordId])).get(recordId) ?? recordId;
  const rows = await db.query<{ action_id: string }>(
    `select distinct action_id from ambit.memory_versions
     where organization_id = $1 and (record_id = any ($2::text[]) or record_id in (
       select alias_id from ambit.memory_aliases where organization_id = $1 and entity_id = $3))
     order by action_id`,
    [organizationId, [winner, recordId], winner],
  );
  return rows.map(({ action_id }) => action_id);
}
