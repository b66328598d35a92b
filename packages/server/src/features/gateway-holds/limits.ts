/** Limits of held calls. */
export const limits = {
  /** How long an approved call may wait for its repetition. */
  approvedMs: 24 * 3_600_000,
  /** How long an identical call is refused after a person rejected it; then it may be asked for again. */
  rejectedMs: 24 * 3_600_000,
  /** The same after nobody decided, or nobody repeated, in time. */
  expiredMs: 10 * 60_000,
  /** How long an identical call gets the result of the one that ran. */
  replayMs: 10 * 60_000,
  /** How long a call may be running without a sign of life from its node; then nobody knows whether it ran. */
  silentMs: 2 * 60_000,
  /** Between two signs of life. */
  aliveEveryMs: 20_000,
  /** The longest a node says of a call that it is running. */
  runningMs: 3_600_000,
  /** A result that is kept for repeats; a longer one is not. */
  resultBytes: 1024 * 1024,
  /** `requestState`s of one held call that are good at once; the oldest goes. */
  states: 8,
  /** A `requestState` that is looked at. */
  stateChars: 2_000,
  /** Between two looks for calls whose time is over. */
  tidyEveryMs: 1_000,
  /** Calls ended, or rows deleted, in one such look; more follow at once. */
  tidyRows: 100,
  /** How long a held call that has ended is kept. */
  keptMs: 7 * 24 * 3_600_000,
  /** A tool, and a server's name, in the one line that says what is asked for, in characters. */
  titleToolChars: 150,
  titleServerChars: 100,
  /** Why it waits, in characters. */
  reasonChars: 1_500,
  /** Tries to put a call into the inbox while others end the same one. */
  holdTries: 5,
} as const;
