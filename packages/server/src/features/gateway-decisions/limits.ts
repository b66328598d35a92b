/** Limits of the decision log. */
export const limits = {
  /** Decisions in one answer of a list. */
  listed: 200,
  defaultListed: 50,
  /** Entries of the ledger one answer of a list looks at; what it has not found by then is found from next_before on. */
  scannedEntries: 20_000,
  /** Entries looked at in the first step of a list, and in one step at most; each step is twice the one before. */
  firstLook: 200,
  look: 4_000,
  /** Grants of a server whose decisions are merged; with more of them the organisation's are looked through. */
  mergedGrants: 64,
  /** A tool's name in a question. */
  toolChars: 256,
  idChars: 80,
  /** The JSON of a call's arguments that is kept, where values are kept. */
  capturedChars: 2 * 1024 * 1024,
  /** Ends of calls that wait to be written, per node. */
  queuedOutcomes: 50_000,
  /** Ends written in one transaction. */
  flushedOutcomes: 2_000,
  /** Ends in one entry of the ledger. */
  outcomesPerEntry: 300,
  /** Between two writes of ends. */
  flushEveryMs: 400,
  /** What is said of how a call failed. */
  problemChars: 80,
  /** Exports one node writes at once. */
  exportsAtOnce: 2,
  exportChunkChars: 64 * 1024,
  /** How long a reader may take for one piece of an export; past it the export is given up. */
  exportStallMs: 60_000,
  exportTotalMs: 60 * 60_000,
  /** Decisions in one answer of an export that is no stream. */
  exportedAtOnce: 500,
  /** Stored decisions that one simulation or replay judges. */
  judgedDecisions: 20_000,
  /** Entries it looks at for them. */
  judgedEntries: 100_000,
  /** How far back it begins when it isn't told. */
  judgedMs: 24 * 3_600_000,
  /** Calls one simulation is given. */
  simulatedCalls: 1_000,
  /** Changed and undecidable decisions that are told one by one; all are counted. */
  told: 1_000,
  /** Names of arguments a decision has at most; of one with as many there may be more. */
  argumentKeys: 64,
} as const;
