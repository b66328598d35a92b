/** Limits of what is kept about running code, and for how long. */
export const limits = {
  /** How long `waitUntil` may go on after the answer, and call back. */
  waitingMs: 30_000,
  /** Answered requests that are kept for their `waitUntil`. */
  waiting: 10_000,

  /** How long an answered request waits for what its run logged; tail batches come every 100 ms. */
  joinMs: 400,
  /** Between two looks for requests that have waited long enough. */
  joinSweepMs: 100,
  /** Answered requests that wait for their lines. */
  joining: 20_000,
  /** Log entries of one program in a second; failed ones have a share of their own. */
  entriesPerSecond: 100,
  failuresPerSecond: 50,
  /** Between two notices that entries of a program were left out. */
  noticeMs: 10_000,
  /** Between two writes of log entries. */
  logWriteMs: 500,
  /** Entries of one write. */
  logBatch: 500,
  /** Entries kept in memory while the database does not take them. */
  logQueue: 10_000,
  /** Lines of one entry, and the characters of all of them. */
  linesPerEntry: 200,
  lineChars: 8_192,
  /** A stack; a message; a path. */
  stackChars: 8_192,
  messageChars: 2_048,
  pathChars: 1_024,
  /** What a lost process said at last. */
  stderrChars: 4_096,
  /** How long entries are kept, and how many of one program. */
  logDays: 7,
  entriesPerProgram: 10_000,
  /** Between two removals of old entries. */
  pruneMs: 60_000,
  /** Entries in one answer. */
  pageEntries: 500,

  /** Between two writes of usage. */
  usageWriteMs: 1_000,
  /** A source map is read again after this long; a stack is never mapped with an older one. */
  sourceMapMs: 5_000,
  sourceMaps: 100,

  /** Deaths of a process with the same unit under way, within the window, until the unit is not run for a while. */
  blameDeaths: 3,
  blameWindowMs: 10 * 60_000,
  blameMs: 5 * 60_000,
  /** Requests end a little before their process is known to be lost; so long before they still count as under way. */
  lostMs: 2_000,
  lostRequests: 1_000,

  /** How long a node believes that another one has an app's actors. */
  elsewhereMs: 5_000,
  /** How old an app's settings may be while they are used; on the node where they are changed they are new at once. */
  settingsMs: 5_000,
  /** Hosts in an app's list. */
  egressHosts: 100,
  /** An answer that is held in memory: of test calls, events and schedules. */
  heldAnswerBytes: 4 * 1024 * 1024,
} as const;
