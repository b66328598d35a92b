/** Limits of row-level security. */
export const limits = {
  /** Names of policies: what Postgres keeps of a name. */
  nameBytes: 63,
  /** Policies of one table; each is evaluated for every row. */
  policiesPerTable: 50,
  /** Tables in one call of secure. */
  securedTables: 50,
  /** Times a change is tried that another transaction had to be put before. */
  attempts: 4,
} as const;
