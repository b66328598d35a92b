/** Limits of the command line. */
export const limits = {
  /** Asking a server whether it is there. */
  probeMs: 10_000,
  /** One tool call, a little longer than the server allows it. */
  callMs: 70_000,
  /** Silence of the server in the middle of an export. */
  exportIdleMs: 60_000,
  /** A file with a public key or a checkpoint. */
  smallFileBytes: 64 * 1024,
  /** Text of an unexpected answer that is shown. */
  shownChars: 300,
  /** A file with a policy; what is larger is no policy anyway. */
  policyFileBytes: 1024 * 1024,
  /** A file with tools, cases or calls. */
  dataFileBytes: 10 * 1024 * 1024,
  /** Entries asked for in one page of a list. */
  pageEntries: 200,
  /** The same for changed tools, which come with their definitions. */
  pageChanges: 50,
  /** Entries of a list that a command looks through or shows. */
  listEntries: 10_000,
  /** Pages of a list that a command asks for. */
  pages: 500,
  /** Text of a tool's evidence, and of a signal, that is shown. */
  evidenceChars: 100,
  /** Starting an MCP server and asking it for its tools; it may have to be downloaded first. */
  toolsMs: 120_000,
  /** What a program says on standard error that is kept for the case that it fails. */
  saidChars: 2_000,
  /** Between two looks at the decision log. */
  followMs: 1_000,
  /** How far before the newest decision a look begins: entries of several nodes may appear out of order. */
  followOverlapMs: 15_000,
  /** Decisions that one look shows. */
  followedAtOnce: 5_000,
  /** Looks in a row that may fail. */
  followFailures: 30,
  /** Messages of one client, and answers of a server, on standard input and output; the gateway takes less. */
  bridgeMessageBytes: 32 * 1024 * 1024,
  /** Ending a session; whoever started the command may not wait longer. */
  endSessionMs: 1_500,
  /** Attempts to open a server's stream again, and the longest pause between two. */
  reconnects: 100,
  reconnectMs: 30_000,
  /** Tools whose arguments headers repeat, and pages of tools looked through for them. */
  repeatingTools: 5_000,
  toolPages: 64,
  /** Levels of a tool's schema, and properties in it, looked at for such arguments. */
  schemaLevels: 32,
  schemaProperties: 2_000,
} as const;
