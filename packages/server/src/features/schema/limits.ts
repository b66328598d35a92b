/** Limits of an app's schema. */
export const limits = {
  /** Tables in one document, and tables of one app. */
  tables: 50,
  columnsPerTable: 200,
  indexesPerTable: 50,
  /** Uniques, checks and foreign keys of a table, counted each by itself. */
  constraintsPerTable: 50,
  /** Columns of one key, index or constraint; Postgres takes 32. */
  columnsPerKey: 32,
  enums: 100,
  enumValues: 500,
  /** One value of an enum, and every identifier: what Postgres keeps of a name. */
  nameBytes: 63,
  commentChars: 1_000,
  /** Rows in one `_seed`; more belong in the data API. */
  seedRows: 1_000,
  /** The whole `_seed` of one table as JSON: it is kept in the history. */
  seedBytes: 512 * 1024,
  migrationNameChars: 200,
  /** Migrations in one listing, newest last. */
  migrationRows: 1_000,
  /** Problems reported for one document. */
  problems: 100,
  /** One change of a schema, waiting for its turn included; below the time of an operation. */
  changeMs: 50_000,
  /** Waiting for a table that others are using. While a change waits, everyone behind it waits too. */
  lockMs: 5_000,
  /** How old the tables that readers are given may be. */
  cacheMs: 1_000,
} as const;
