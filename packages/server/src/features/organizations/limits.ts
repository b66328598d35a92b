/** Limits of organisations. */
export const limits = {
  /** Members of one organisation. */
  members: 500,
  /** A display name. */
  nameChars: 100,
} as const;
