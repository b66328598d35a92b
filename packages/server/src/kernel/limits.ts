/** Limits of the kernel and the doors. Each feature keeps its own beside its code. */
export const limits = {
  /** One operation, from access check to answer. */
  operationMs: 60_000,
  /** A request body. */
  bodyBytes: 10 * 1024 * 1024,
  /** Receiving a whole request. */
  requestMs: 120_000,
  /** Connections that the operating system keeps ready until they are taken; it may have a lower bound of its own. */
  listenBacklog: 8_192,
  /** A URL with its query. */
  urlChars: 16_384,
  /** How long a resolved key or app may be served from memory: the bound on how late a revocation can be. */
  cacheMs: 800,
  /** Entries in each such cache. */
  cacheEntries: 10_000,
  /** Levels of objects and lists in one input field. */
  inputDepth: 100,
  /** A recorded input field, after which it is cut. */
  auditedFieldChars: 4_000,
  /** A recorded name of a thing, and a recorded message. */
  auditedTextChars: 1_000,
  /** A request body of an operation that is open to everyone. */
  publicBodyBytes: 64 * 1024,
  /** A request body of rows from someone without a key. */
  rowsBodyBytes: 1024 * 1024,
  /** How long a start waits for what starts in the background before it calls itself ready. */
  settleMs: 2_000,
  /** How long requests under way may go on once the server is told to stop. */
  drainMs: 1_500,
  /** From the signal to the exit of the process. */
  stopMs: 4_500,
} as const;
