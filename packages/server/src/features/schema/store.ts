import type { Queryable } from "../../engines/postgres/database.ts";

/** The history of schemas: Ambit's own table, on the control connection. */

export interface MigrationRow {
  readonly id: string;
  readonly description: string;
  readonly applied_sql: string;
  readonly applied_at: Date;
}

/**
 * Notes a change before its transaction commits. The row names that transaction, so whatever happens afterwards,
 * Postgres itself can tell whether the change took place.
 */
export async function insertMigration(
  db: Queryable,
  migration: { appId: string; description: string; sql: string; transactionId: string },
): Promise<string> {
  const [row] = await db.query<{ id: string }>(
    `insert into ambit.schema_migrations (app_id, description, applied_sql, transaction_id)
     values ($1, $2, $3, $4::xid8) returning id`,
    [migration.appId, migration.description, migration.sql, migration.transactionId],
  );
  return row!.id;
}

/**
 * Reads the outcome of noted changes: those that were committed stay, those that were rolled back go, those under
 * way are left. Called after each change and before each listing, so that nothing is left to a process that dies.
 */
export async function settleMigrations(db: Queryable, appId: string): Promise<void> {
  await db.query(
    `with judged as (
       select id, pg_xact_status(transaction_id) as outcome from ambit.schema_migrations
       where app_id = $1 and not settled
     ), kept as (
       update ambit.schema_migrations m set settled = true from judged j where m.id = j.id and j.outcome = 'committed'
     )
     delete from ambit.schema_migrations m using judged j where m.id = j.id and j.outcome = 'aborted'`,
    [appId],
  );
}

/** Oldest first; the newest `limit` of them. */
export function selectMigrations(db: Queryable, appId: string, limit: number): Promise<MigrationRow[]> {
  return db.query<MigrationRow>(
    `select id, description, applied_sql, applied_at from (
       select * from ambit.schema_migrations where app_id = $1 and settled order by id desc limit ${limit}
     ) newest order by id`,
    [appId],
  );
}
