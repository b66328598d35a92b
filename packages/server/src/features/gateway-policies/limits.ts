/** Limits of policies. */
export const limits = {
  /** A document as JSON text, in bytes of UTF-8. */
  documentBytes: 256 * 1024,
  nameChars: 100,
  /** Policies of one server. */
  policiesPerServer: 200,
  /** Versions of one policy. */
  versions: 10_000,
  /** How long a server may take to tell its tools, which only warnings are for. */
  toolsMs: 5_000,
  /** Documents kept ready on a node, together, in characters of their text. */
  readyChars: 32 * 1024 * 1024,
  /** Rows of one page of a list. */
  listed: 200,
  defaultListed: 50,
  /** Grants named as users of a policy. */
  users: 200,
} as const;
