import type { Queryable } from "../../engines/postgres/database.ts";

/** Actions that were not executed and whose payload names the record, e.g. a patch of it that was rejected. */
export async function selectMentioning(
  tx: Queryable,
  organizationId: string,
  recordId: string,
): Promise<string[]> {
  const rows = await tx.query<{ id: string }>(
    `select id from ambit.substrate_actions
     where organization_id = $1 and status in ('proposed', 'rejected', 'failed')
       and payload @? format('$.** ? (@ == %s)', to_json($2::text))::jsonpath`,
    [organizationId, recordId],
  );
  return rows.map(({ id }) => id);
}

/** Takes out of actions, and of their conflicts, everything somebody wrote. The verdict, who, when and which records stay. */
export async function eraseActions(
  tx: Queryable,
  organizationId: string,
  ids: readonly string[],
  now: Date,
): Promise<void> {
  await tx.query(
    `update ambit.substrate_actions set erased_at = $3, payload = '{"erased": true}',
       result = case when result is null then null else '{"erased": true}'::jsonb end,
       error = case when error is null then null else jsonb_set(error, '{message}', '"Erased."') end,
       verdict = jsonb_build_object('result', verdict -> 'result', 'reason', 'Erased.', 'conflicts', coalesce((
         select jsonb_agg(jsonb_build_object('principle_id', c -> 'principle_id', 'title', c -> 'title',
           'reason', 'Erased.')) from jsonb_array_elements(verdict -> 'conflicts') as c), '[]')),
       rejected_reason = case when rejected_reason is null then null else 'Erased.' end,
       trigger_context = null
     where organization_id = $1 and id = any ($2::text[]) and erased_at is null`,
    [organizationId, ids, now],
  );
  await tx.query(
    `update ambit.substrate_conflicts set reason = 'Erased.',
       resolution_reason = case when resolution_reason is null then null else 'Erased.' end,
       resolution = case when status = 'open' then 'reject' else resolution end,
       resolved_at = case when status = 'open' then $3::timestamptz else resolved_at end,
       status = 'resolved'
     where organization_id = $1 and action_id = any ($2::text[])`,
    [organizationId, ids, now],
  );
}
