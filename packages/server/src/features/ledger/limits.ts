/** Limits of the ledger. */
export const limits = {
  /** One entry's canonical text. */
  entryBytes: 64 * 1024,
  /** What one entry seals, as JSON with its salts; an export has it in one line with the entry. */
  sealedBytes: 12 * 1024 * 1024,
  /** Entries written by themselves that wait for their turn, per node. */
  queueEntries: 20_000,
  queueBytes: 64 * 1024 * 1024,
  /** Entries that go into one insert. */
  batchEntries: 500,
  batchBytes: 4 * 1024 * 1024,
  /** Inserts of entries by themselves under way at once, per node. */
  insertsAtOnce: 2,
  /** Between two looks for entries that have no place in the tree yet. */
  placeEveryMs: 200,
  /** Entries placed in one transaction. */
  placedAtOnce: 2_000,
  /** Gaps in the numbers that are followed one by one; beyond, neighbours are followed as one. */
  gaps: 1_000,
  /** How long the node that places entries may be silent before another takes over. */
  leaseMs: 1_800,
  /** How long before its end a lease is renewed at the latest. */
  renewBeforeMs: 1_200,
  /** Between two tries of a node that does not place entries to take over. */
  acquireEveryMs: 400,
  /** Between two checkpoints on schedule, while the tree grows. */
  checkpointEveryMs: 10_000,
  /** Leaves looked at in one statement before they are signed. */
  signedAtOnce: 10_000,
  /** How long a checkpoint on demand waits for everything committed before it to be placed. */
  placedWithinMs: 10_000,
  /** Between two looks whether it is. */
  placedPollMs: 25,
  /** Entries in one answer of a list. */
  pageEntries: 200,
  /** Checkpoints in one answer of a list. */
  pageCheckpoints: 1_000,
  /** Entries and openings read at once for an answer or an export; one that is larger comes alone. */
  pageBytes: 4 * 1024 * 1024,
  /** How far the order of commits may be from that of the entries' times: clocks of nodes, long transactions. */
  scanSlackMs: 10 * 60_000,
  /** Leaves read at once for an export. */
  exportLeaves: 1_000,
  /** What an export sends at once, about. */
  exportChunkChars: 64 * 1024,
  /** Subjects in one entry about an erasure, and in one call; and names. */
  erasedSubjects: 200,
  erasedNames: 100,
  /** A subject, a kind or a name in a question. */
  textChars: 200,
  /** The reason for an erasure. */
  reasonChars: 2_000,
} as const;
