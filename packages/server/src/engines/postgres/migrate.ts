import { readdirSync, readFileSync } from "node:fs";
import type { Database } from "./database.ts";

/** Serialises nodes that start at once on one database. Any constant will do. */
const MIGRATION_LOCK = 4_207_310_501;

/** A feature's own migrations: files `NNN-name.sql` in its `migrations/` folder. */
export interface MigrationSource {
  readonly feature: string;
  readonly directory: URL;
}

/**
 * Applies what is missing, feature by feature in the given order, all in one transaction.
 * Returns the names applied now; two nodes starting at once apply each file once.
 */
export async function migrate(database: Database, sources: readonly MigrationSource[]): Promise<string[]> {
  return database.transaction(async (tx) => {
    await tx.query("select pg_advisory_xact_lock($1)", [MIGRATION_LOCK]);
    await tx.query(`create schema if not exists ambit;
      create table if not exists ambit.migrations (name text primary key, applied_at timestamptz not null default now())`);
    const rows = await tx.query<{ name: string }>("select name from ambit.migrations");
    const done = new Set(rows.map((row) => row.name));
    const applied: string[] = [];
    for (const { feature, directory } of sources) {
      for (const file of readdirSync(directory)
        .filter((name) => name.endsWith(".sql"))
        .sort()) {
        const name = `${feature}/${file}`;
        if (done.has(name)) continue;
        await tx.query(readFileSync(new URL(file, directory), "utf8"));
        await tx.query("insert into ambit.migrations (name) values ($1)", [name]);
        applied.push(name);
      }
    }
    // A function is everyone's to call, and to know of, unless that is taken back. Triggers need no such right.
    await tx.query("revoke all on all routines in schema ambit from public");
    return applied;
  });
}
