import type { Queryable } from "../../engines/postgres/database.ts";
import { quoteIdent } from "../../engines/postgres/quote.ts";
import type { StreamHolder } from "./types.ts";

/** Keeps a ticket unless the organisation has `most` that may still be used; false then. Times are the database's. */
export async function insertTicket(
  db: Queryable,
  ticket: { hash: string; organizationId: string; holder: StreamHolder; lifeS: number; most: number },
): Promise<boolean> {
  const { hash, organizationId, holder, lifeS, most } = ticket;
  const rows = await db.query(
    `insert into ambit.substrate_tickets (hash, organization_id, key_id, app_id, expires_at)
     select $1, $2, $3, $4, now() + make_interval(secs => $5)
     where (select count(*) from ambit.substrate_tickets where organization_id = $2 and expires_at > now()) < $6
     returning 1`,
    [
      hash,
      organizationId,
      holder.kind === "key" ? holder.keyId : null,
      holder.kind === "app" ? holder.appId : null,
      lifeS,
      most,
    ],
  );
  return rows.length > 0;
}

/** Takes a ticket away, whoever asks first; on whose behalf it was given out, or null when it may not be used. */
export async function takeTicket(db: Queryable, hash: string): Promise<StreamHolder | null> {
  const [row] = await db.query<{ key_id: string | null; app_id: string | null; live: boolean }>(
    "delete from ambit.substrate_tickets where hash = $1 returning key_id, app_id, expires_at > now() as live",
    [hash],
  );
  if (row === undefined || !row.live) return null;
  return row.key_id !== null ? { kind: "key", keyId: row.key_id } : { kind: "app", appId: row.app_id! };
}

export async function deleteOldTickets(db: Queryable): Promise<void> {
  await db.query("delete from ambit.substrate_tickets where expires_at < now() - interval '1 minute'");
}

/** SQLSTATE: it is there already, or another node is making it right now. */
const MADE_ALREADY = new Set(["42710", "23505"]);

/** Makes the publication and puts into it the tables that are not there, each with these columns. */
export async function ensurePublication(
  db: Queryable,
  name: string,
  tables: Readonly<Record<string, { readonly columns: readonly string[] }>>,
): Promise<void> {
  const unlessMade = (error: { code?: string }) => {
    if (!MADE_ALREADY.has(error.code ?? "")) throw error;
  };
  const [known] = await db.query("select 1 from pg_publication where pubname = $1", [name]);
  if (known === undefined) {
    await db
      .query(`create publication ${quoteIdent(name)} with (publish = 'insert, update, delete')`)
      .catch(unlessMade);
  }
  const members = await db.query<{ tablename: string }>(
    "select tablename from pg_publication_tables where pubname = $1 and schemaname = 'ambit'",
    [name],
  );
  const present = new Set(members.map(({ tablename }) => tablename));
  for (const [table, { columns }] of Object.entries(tables)) {
    if (present.has(table)) continue;
    const list = columns.map(quoteIdent).join(", ");
    await db
      .query(`alter publication ${quoteIdent(name)} add table ambit.${quoteIdent(table)} (${list})`)
      .catch(unlessMade);
  }
}
