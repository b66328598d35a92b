/** Limits of the counters. */
export const limits = {
  /** How long a call waits for its reservation before it is denied. */
  waitMs: 2_000,
  /** How long a statement waits for a counter that somebody else has locked. */
  lockMs: 1_500,
  /** Statements under way at once, per node; what comes meanwhile goes together in the next. */
  statementsAtOnce: 2,
  /** Statements that nobody waits for any more and that were never answered. */
  unanswered: 4,
  /** Reservations in one statement; a call that has more goes alone. */
  batchReservations: 500,
  /** Reservations of one call; nothing that fits a document comes near. */
  reservationsPerCall: 10_000,
  /** Calls that wait for their turn, per node. */
  queueCalls: 10_000,
  /** A counter's name as it is stored; a longer one is stored by its hash. */
  keyBytes: 1_000,
  /** How much of such a one stays readable. */
  keyHeadChars: 200,
  /** How long a counter is kept after its window, for what is given back late. */
  keptMs: 3_600_000,
  sweepEveryMs: 60_000,
  /** Rows one sweep removes at most. */
  sweepRows: 5_000,
  /** Counters shown of one grant. */
  shownCounters: 500,
} as const;
