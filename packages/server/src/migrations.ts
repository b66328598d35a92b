import type { MigrationSource } from "./engines/postgres/migrate.ts";

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
  ].map(ofFeature),
];

/**
 * Tables that only ever grow. They belong to a role nobody logs in as; the one that serves requests may read and insert
 * and nothing else.
 */
export const APPEND_ONLY: readonly MigrationSource[] = [
  { feature: "ledger", directory: new URL("features/ledger/append-only/", import.meta.url) },
];
