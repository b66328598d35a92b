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
  ].map(ofFeature),
];
