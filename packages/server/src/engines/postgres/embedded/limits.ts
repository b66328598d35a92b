/** Limits of the embedded PostgreSQL: what it may use, and how long each step of its life may take. */
export const limits = {
  /** Path of the socket itself; the kernel takes 107 bytes on Linux, 103 on macOS. */
  socketPathBytes: 100,
  /** From spawning the server until it answers; recovery after a crash may need most of it. */
  readyMs: 120_000,
  readyPollMs: 4,
  /** One attempt to connect and run `select 1`. */
  answerMs: 1_000,
  /** A running server that calls itself ready but does not answer for this long is replaced. */
  deafServerMs: 5_000,
  initdbMs: 120_000,
  /** `postgres -V` and the other short commands. */
  commandMs: 10_000,
  /** Another process may be creating the cluster or waiting for crash recovery. */
  lockMs: 150_000,
  lockPollMs: 15,
  /** The steps of a stop, one after the other; together they stay below four seconds. */
  stopLockMs: 700,
  fastShutdownMs: 2_000,
  immediateShutdownMs: 700,
  killMs: 300,
  stopPollMs: 4,
  /** Backends that outlive a killed postmaster: time to leave by themselves, then after SIGQUIT. */
  orphanMs: 3_000,
  orphanQuitMs: 2_000,
  orphanPollMs: 8,
  /** How often a server that is not our child is looked at. */
  watchMs: 100,
  /** Pauses between restarts; the first restart is immediate. */
  restartFirstPauseMs: 100,
  restartLongestPauseMs: 5_000,
  /** A server that lived this long has recovered: the next death counts as the first. */
  restartForgiveMs: 10_000,
  /** The server's log; the file before it is kept, so twice this on disk. */
  logBytes: 16 * 1024 * 1024,
  logCheckMs: 30_000,
  /** What is read of the log, or kept of a command's output, to explain a failure. */
  diagnosticBytes: 16 * 1024,
  /** The oldest major version PG_BIN may hold: the first with the builtin locale provider. */
  oldestMajor: 17,
  /** Settings of the server. */
  connections: 200,
  sharedBuffers: "64MB",
  replicationSlots: 32,
  walSenders: 32,
  /** WAL a slot may hold back before it is given up. */
  slotWal: "2GB",
  walSenderTimeout: "60s",
  idleInTransaction: "60s",
  /** How often a running query looks whether its client is still there. */
  clientCheck: "10s",
} as const;
