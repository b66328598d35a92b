/** Limits of platform keys. */
export const limits = {
  /** Live keys of one account in one organisation. */
  keysPerAccount: 200,
  /** A key's name. */
  nameChars: 100,
  /** The longest life that can be asked for. */
  lifeDays: 3650,
  /** How often `last_used_at` is written for one key. */
  lastUsedEveryMs: 60_000,
  /** How long a key's name is served from memory. */
  nameCacheMs: 3_600_000,
} as const;
