/** Limits of the logical decoding reader. */
export const limits = {
  /** Wire bytes of one delivered part; a larger transaction arrives as several parts. */
  partBytes: 4 * 1024 * 1024,
  /** Changes in one delivered part. */
  partEvents: 10_000,
  /** Wire bytes waiting for the handler, above which the socket is paused; it resumes below half of it. */
  queueBytes: 16 * 1024 * 1024,
  /** Parts waiting for the handler, above which the socket is paused; it resumes below half of it. */
  queueParts: 10_000,
  /** A status update goes out at least this often; the server's `wal_sender_timeout` is set to `serverTimeoutMs`. */
  heartbeatMs: 10_000,
  /** A position that moved is reported no later than this. */
  reportMs: 1_000,
  /** How long the server waits for a status update before it drops the connection. */
  serverTimeoutMs: 60_000,
  /** Silence after which the server is asked to answer. */
  silencePingMs: 20_000,
  /** Silence after which the connection is given up and made anew. */
  silenceMs: 60_000,
  /** Connecting and starting replication, from the socket to the first byte of the stream. */
  connectMs: 15_000,
  /** First pause before a reconnect; doubles with each failure in a row. */
  reconnectMinMs: 100,
  /** Longest pause before a reconnect. */
  reconnectMaxMs: 10_000,
  /** A stream that held this long starts again with the first pause. */
  stableMs: 10_000,
  /** From a clean end to the socket being closed by force. */
  closeMs: 2_000,
} as const;
