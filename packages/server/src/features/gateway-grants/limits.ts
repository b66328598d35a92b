/** Limits of grants. */
export const limits = {
  /** Random bytes of a token. */
  tokenBytes: 32,
  labelChars: 100,
  /** Live grants of one server. */
  grantsPerServer: 5_000,
  /** Tokens, good and bad, and ids that are kept in memory. */
  cachedTokens: 20_000,
  /** How long a label is served from memory. */
  labelCacheMs: 60_000,
  /** How often a grant's last use is written at most. */
  lastUsedEveryMs: 60_000,
  /** How often is looked what is to be written. */
  lastUsedTickMs: 5_000,
  /** Grants whose use is written in one statement. */
  lastUsedRows: 1_000,
  /** Rows of one page of a list. */
  listed: 200,
  defaultListed: 50,
  /** Grants named as users of a policy. */
  users: 200,
} as const;
