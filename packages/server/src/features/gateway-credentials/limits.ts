/** Limits of upstream credentials. */
export const limits = {
  /** From asking for the authorization URL to finishing. */
  flowMs: 15 * 60_000,
  /** Consents under way for one server. */
  flowsPerServer: 5,
  /** Wrong confirmations of one consent. */
  confirmations: 5,
  /** How long before it expires a token is renewed. */
  renewBeforeMs: 60_000,
  /** A token younger than this was not what the server refused. */
  freshMs: 5_000,
  /** How long a node uses tokens without asking the database whether they were renewed or taken back. */
  cacheMs: 800,
  /** A client id or secret, or scopes, in characters. */
  fieldChars: 4_000,
  /** Between two looks for consents whose time is over. */
  pruneEveryMs: 60_000,
} as const;
