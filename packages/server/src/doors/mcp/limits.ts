/** Limits of the MCP door. */
export const limits = {
  /** How deep a message may nest; deeper ones are refused before they are parsed. */
  nestingDepth: 100,
  /** How long a client may reuse the list of tools or prompts; it changes only with the server's version. */
  listTtlMs: 60_000,
  /** Open `subscriptions/listen` streams. */
  subscriptions: 1_000,
  /** Between two comment frames on a stream that is otherwise silent. */
  keepAliveMs: 15_000,
  /** The part of a `User-Agent` header that is kept. */
  userAgentChars: 300,
  /** A tool name quoted in an error. */
  quotedNameChars: 80,
} as const;
