/** Limits of the doors to functions. */
export const limits = {
  /** A webhook's body up to this size is always read. */
  freeBodyBytes: 128 * 1024,
  /** Larger ones that are on their way, of one app. */
  heldBytesPerApp: 64 * 1024 * 1024,
  /** Streams of logs open at once, per node and per app. */
  logStreams: 200,
  logStreamsPerApp: 20,
  /** Between two signs of life. */
  logHeartbeatMs: 15_000,
  /** How often it is asked whether the reader may still read. */
  logRecheckMs: 30_000,
  /** A stream's age, after which the reader connects anew. */
  logStreamMs: 3_600_000,
  /** What a reader may leave unread. */
  logUnreadBytes: 1024 * 1024,
  /** Entries that a reader who comes back is told about. */
  logReplay: 500,
} as const;
