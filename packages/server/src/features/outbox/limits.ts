/** Limits of the outbox. */
export const limits = {
  /** Targets of one organisation. */
  targets: 200,
  urlChars: 2_000,
  capabilityChars: 64,
  leastSecretChars: 8,
  secretChars: 500,
  /** Tries of one delivery before it is dead; with the pauses below they span about a day. */
  attempts: 10,
  /** Pause after the first failed try. */
  firstRetryMs: 5_000,
  /** Each further pause is so many times longer. */
  retryFactor: 3.2,
  /** Pauses are lengthened or shortened by up to this share, so that what failed together does not come back together. */
  retryJitter: 0.2,
  /** The longest pause a receiver may ask for with Retry-After. */
  longestRetryMs: 24 * 3_600_000,
  /** One try, from the name lookup to the last byte of the answer. */
  timeoutMs: 10_000,
  /** An answer's body; what it says does not matter. */
  answerBytes: 1024 * 1024,
  /** How long a try may outlast its time limit before another node may take it up. */
  claimSlackMs: 20_000,
  /** Tries under way at once on one node, to one target and to all. */
  perTarget: 4,
  atOnce: 64,
  /** How often each node looks for what is due. */
  tickMs: 500,
  /** How long a stopping node lets tries under way finish. */
  drainMs: 1_000,
  /** How long what has ended is kept. */
  keptMs: 30 * 86_400_000,
  sweepMs: 600_000,
  /** Rows one sweep removes at most. */
  sweepRows: 5_000,
  /** Why a try failed. */
  errorChars: 500,
  listed: 200,
  defaultListed: 50,
} as const;
