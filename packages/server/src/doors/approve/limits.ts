/** Limits of the page on which a person decides. */
export const limits = {
  /** From signing in to having to sign in again. */
  sessionMs: 15 * 60_000,
  /** From "approve" or "reject" to the confirmation of it. */
  confirmationMs: 2 * 60_000,
  /** A form. */
  bodyBytes: 32 * 1024,
  /** A key, as somebody types it. */
  keyChars: 200,
  /** Rows of a computed preview that are shown; how many more there are is said. */
  previewRows: 2_000,
} as const;
