/** Limits of the audit log. */
export const limits = {
  /** Entries in one answer. */
  pageRows: 500,
} as const;
