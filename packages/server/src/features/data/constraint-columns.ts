import type { Queryable } from "../../engines/postgres/database.ts";
import type { PgErrorFacts } from "../../engines/postgres/pg-errors.ts";

/** Columns of a constraint, or of a unique index of that name. */
const COLUMNS_SQL = `
select array(select a.attname::text from unnest(coalesce(k.conkey, i.indkey::int2[])) with ordinality u (n, place)
  join pg_attribute a on a.attrelid = t.oid and a.attnum = u.n order by u.place) as columns
from pg_class t join pg_namespace s on s.oid = t.relnamespace
left join pg_constraint k on k.conrelid = t.oid and k.conname = $3
left join pg_index i on i.indrelid = t.oid and i.indexrelid = (
  select x.oid from pg_class x where x.relnamespace = s.oid and x.relname = $3)
where s.nspname = $1 and t.relname = $2`;

/** The facts with the columns of the violated key, which Postgres leaves out for tables under row-level security. */
export async function withKeyColumns(
  database: Queryable,
  appId: string,
  facts: PgErrorFacts,
): Promise<PgErrorFacts> {
  const aboutKey = facts.kind === "unique" || facts.kind === "foreign_key" || facts.kind === "exclusion";
  if (!aboutKey || facts.keyColumns.length > 0) return facts;
  const { table, constraint } = facts;
  const [row] = await database.query<{ columns: string[] }>(COLUMNS_SQL, [appId, table, constraint]);
  return { ...facts, keyColumns: row?.columns ?? [] };
}
