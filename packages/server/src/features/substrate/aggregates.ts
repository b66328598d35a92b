import type { Queryable } from "../../engines/postgres/database.ts";
import type { Aggregate } from "./constraints/evaluate.ts";
import type { AggregateQuestion } from "./principles.ts";

/**
 * Lets the proposals a principle counts go one after the other until the transaction ends; without this, several at the
 * limit would each see room for themselves. Locks are taken in one order, so that nobody waits in a circle.
 */
export async function lockPrinciples(
  tx: Queryable,
  organizationId: string,
  principleIds: readonly string[],
): Promise<void> {
  const names = principleIds.map((id) => `substrate.principle ${organizationId} ${id}`);
  await tx.query(
    `select pg_advisory_xact_lock(lock)
     from (select distinct hashtextextended(name, 0) as lock from unnest($1::text[]) as name order by 1) as locks`,
    [names],
  );
}

/**
 * What was executed in each question's window. What was undone since counts too: it was done. To be asked in a statement
 * after the lock, whose snapshot then has what others committed before.
 */
export async function readAggregates(
  tx: Queryable,
  organizationId: string,
  questions: readonly AggregateQuestion[],
): Promise<Map<string, Aggregate>> {
  const asked = questions.map(({ principleId, about, fromMs, untilMs, amount }) => ({
    id: principleId,
    capabilities: about.capabilities,
    matchers: about.matchers,
    since: new Date(fromMs).toISOString(),
    until: new Date(untilMs).toISOString(),
    field: amount?.field ?? null,
    unit: amount?.unit ?? null,
    unit_field: amount?.unitField ?? null,
  }));
  const rows = await tx.query<{ id: string; count: number; sum: string }>(AGGREGATES, [
    organizationId,
    JSON.stringify(asked),
  ]);
  return new Map(rows.map(({ id, count, sum }) => [id, { count, sum }]));
}

/** Says in SQL what `applies` and `evaluate` say of one payload. */
const AGGREGATES = `
  select asked.id, count(action.id)::int as count, coalesce(sum(action.amount), 0)::text as sum
  from jsonb_to_recordset($2::jsonb) as asked (id text, capabilities jsonb, matchers jsonb, since timestamptz,
    until timestamptz, field text[], unit text, unit_field text[])
  left join lateral (
    select a.id,
      case when jsonb_typeof(a.payload #> asked.field) = 'number' and (asked.unit is null or
        translate(btrim(a.payload #>> asked.unit_field, E' \\t\\r\\n'),
          'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz') = asked.unit)
      then greatest((a.payload #>> asked.field)::numeric, 0) end as amount
    from ambit.substrate_actions a
    where a.organization_id = $1 and a.status = 'executed'
      and a.executed_at >= asked.since and a.executed_at < asked.until
      and (asked.capabilities is null or asked.capabilities ? a.capability)
      and not exists (
        select from jsonb_to_recordset(asked.matchers) as matcher (path text[], "values" jsonb)
        where not case
          when a.payload #> matcher.path is null then false
          when jsonb_typeof(a.payload #> matcher.path) = 'array' then exists (
            select from jsonb_array_elements(a.payload #> matcher.path) as element
            where matcher."values" @> jsonb_build_array(element))
          else matcher."values" @> jsonb_build_array(a.payload #> matcher.path) end)
  ) as action on true
  group by asked.id`;
