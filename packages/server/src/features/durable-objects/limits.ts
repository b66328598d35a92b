/** Limits of Durable Objects. */
export const limits = {
  /** Classes of one app. */
  classesPerApp: 5,
  /** Code of all classes of an app, compressed. */
  compressedBytesPerApp: 10 * 1024 * 1024,
  /** Versions kept of a class, the one that serves included. */
  versionsPerClass: 100,
  /** Variables of an app's classes. */
  envVariables: 200,
  /** One variable's value. */
  envValueBytes: 8 * 1024,
  /** A failed deploy's reason, as it is kept. */
  errorMessageChars: 2_000,
  /** Resident memory of an app's process before it is stopped. */
  memoryBytes: 512 * 1024 * 1024,
  /** An instance's name, decoded. */
  instanceNameBytes: 1_024,
  /** How long a ticket may be used. */
  ticketMs: 30_000,
  /** How often activity of instances is written. */
  activityEveryMs: 1_000,
  /** The least time between two writes about one instance. */
  activityAgainMs: 10_000,
  /** Instances written at once. */
  activityBatch: 2_000,
  /** Instances of which a time waits to be written; past it the rest is told again by their next request. */
  activityPending: 50_000,
  /** Instances of one class whose names are remembered, the latest active ones. */
  namedInstances: 100_000,
  /** How often what is past its time is removed. */
  sweepEveryMs: 600_000,
  /** Instances, log entries, keys or rows in one answer. */
  pageEntries: 1_000,
  sqlChars: 100_000,
  sqlParams: 1_000,
  /** An exported instance, compressed: what fits a request body in base64. */
  archiveBytes: 7 * 1024 * 1024,
  /** The same, unpacked. */
  archiveUnpackedBytes: 256 * 1024 * 1024,
  /** How long it may take to see that its database is sound. */
  archiveCheckMs: 20_000,
  /** How long an instance has to answer a call by operation. */
  invokeMs: 30_000,
} as const;
