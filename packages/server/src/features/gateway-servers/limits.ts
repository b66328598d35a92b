/** Limits of the registry of MCP servers. */
export const limits = {
  /** Servers of one organisation, the built-in one apart. */
  servers: 100,
  nameChars: 100,
  urlChars: 2_000,
  commandChars: 1_000,
  args: 50,
  argChars: 4_000,
  /** Static headers of a server, and variables of its environment. */
  headers: 20,
  headerNameChars: 100,
  envVariables: 50,
  /** One header's or variable's value. */
  secretChars: 8_192,
  /** All of a server's names and values together. */
  secretsChars: 65_536,
  /** Pages of one tools/list. */
  pages: 50,
  cursorChars: 8_192,
  /** Tools of one tools/list. */
  tools: 1_000,
  toolNameChars: 200,
  /** One tool's definition, as canonical JSON. */
  definitionBytes: 256 * 1024,
  /** All definitions of one tools/list. */
  listBytes: 8 * 1024 * 1024,
  /** Tools remembered of one server: those it has, and those it had. */
  rememberedTools: 2_000,
  /** How long a tool that nobody approved, and that is gone, is remembered. */
  goneMs: 24 * 3_600_000,
  /** One look at a server: all pages of its tools/list. */
  lookMs: 15_000,
  /** How often a list is asked for until it did not change meanwhile. */
  looksInARow: 3,
  /** Between two looks at a server that is in use. */
  lookEveryMs: 60_000,
  /** How long after its last use a server counts as in use. */
  inUseMs: 5 * 60_000,
  /** How long ago a server's tools may have been seen, for a call to be judged by that. */
  staleMs: 5 * 60_000,
  /** Between two looks at a server that says again and again that its tools have changed. */
  looksApartMs: 1_000,
  /** Looks in the background under way at once, on one node. */
  looksAtOnce: 8,
  /** Between two looks of a node for what others changed, and for what is to be looked at. */
  tickMs: 500,
  /** Tools named in one entry of the ledger; more make more entries. */
  entryTools: 40,
  /** Tools approved in one call. */
  approvedAtOnce: 500,
  /** Changes in one answer. */
  listedChanges: 100,
  defaultListedChanges: 20,
} as const;
