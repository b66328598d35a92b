/** Limits of the audit log. */
export const limits = {
  /** Entries in one answer. */
  pageRows: 500,
  /** Levels of what a call was given, beyond which the ledger has it as a text. */
  ledgerDepth: 90,
} as const;
