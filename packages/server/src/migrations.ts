import { Database, type Target } from "./engines/postgres/database.ts";
import { type MigrationSource, migrate } from "./engines/postgres/migrate.ts";
import { closeAppendOnly } from "./engines/postgres/serving-role.ts";
import type { Log } from "./kernel/log.ts";

const ofFeature = (feature: string): MigrationSource => ({
  feature,
  directory: new URL(`features/${feature}/migrations/`, import.meta.url),
});

/** Every folder of migrations, in the order in which one may refer to another. */
export const MIGRATIONS: readonly MigrationSource[] = [
  { feature: "postgres", directory: new URL("engines/postgres/migrations/", import.meta.url) },
  ...[
    "organizations",
    "keys",
    "apps",
    "audit",
    "schema",
    "mail",
    "auth",
    "realtime",
    "runtime",
    "durable-objects",
    "functions",
    "ledger",
    "outbox",
    "approvals",
    "substrate-links",
    "memory",
    "substrate",
    "snapshots",
    "attention-rules",
    "substrate-stream",
    "gateway-servers",
    "gateway-policies",
    "gateway-grants",
    "gateway-quotas",
    "gateway-holds",
    "gateway-decisions",
    "gateway-credentials",
  ].map(ofFeature),
];

/**
 * Tables that only ever grow. They belong to a role nobody logs in as; the one that serves requests may read and insert
 * and nothing else.
 */
export const APPEND_ONLY: readonly MigrationSource[] = [
  { feature: "ledger", directory: new URL("features/ledger/append-only/", import.meta.url) },
];

/** The tables those files make. */
const APPEND_ONLY_TABLES = ["ledger_entries", "ledger_leaves", "ledger_tiles", "ledger_checkpoints"];

/** Brings the database up to date: Ambit's own tables as the serving login, those that only grow as `admin`. */
export async function migrateAll(database: Database, admin: Target, log: Log): Promise<void> {
  await migrate(database, MIGRATIONS);
  const mighty = new Database(admin, () => "", log);
  try {
    await migrate(mighty, APPEND_ONLY);
  } finally {
    await mighty.close();
  }
  try {
    await closeAppendOnly(admin, database.target.user, APPEND_ONLY_TABLES);
  } catch (error) {
    if ((error as { code?: string }).code !== INSUFFICIENT_PRIVILEGE) throw error;
    log.warn(
      { err: error },
      "the login could change the ledger's tables: give it CREATE on the database WITH GRANT OPTION, or set AMBIT_ADMIN_DATABASE_URL",
    );
  }
}

/** SQLSTATE */
const INSUFFICIENT_PRIVILEGE = "42501";
