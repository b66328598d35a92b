import type { Queryable } from "../../engines/postgres/database.ts";
import { BROADCAST, DEFINITIONS } from "./publications.ts";

/** What identifies this feature's publications: one that was dropped and made again is another. */
export async function selectPublications(db: Queryable): Promise<number[]> {
  const rows = await db.query<{ oid: number }>(
    "select oid from pg_publication where pubname = any($1) order by oid",
    [Object.keys(DEFINITIONS)],
  );
  return rows.map(({ oid }) => oid);
}

/** Apps with a table that is switched on and that the log does not carry in full under its name. */
export async function selectUncaptured(db: Queryable): Promise<string[]> {
  const rows = await db.query<{ app_id: string }>(
    `select distinct r.app_id from ambit.realtime_tables r where not exists (
       select from pg_class c
         join pg_namespace n on n.oid = c.relnamespace
         join pg_publication_rel m on m.prrelid = c.oid
         join pg_publication p on p.oid = m.prpubid
       where c.oid = r.table_oid and c.relname = r.table_name and c.relreplident = 'f'
         and n.nspname = r.app_id and p.pubname = $1)`,
    [BROADCAST],
  );
  return rows.map((row) => row.app_id);
}
