const MIB = 1024 * 1024;

/** Limits of functions. */
export const limits = {
  /** Functions of one app. */
  functionsPerApp: 100,
  nameChars: 100,
  descriptionChars: 2_000,
  agentDescriptionChars: 500,
  /** Versions kept per function; older ones are forgotten. */
  versions: 20,
  /** How long one call may take. */
  defaultTimeoutMs: 30_000,
  minTimeoutMs: 100,
  maxTimeoutMs: 300_000,
  /** What a function says it needs; its program is given `processBytes` and the largest of these. */
  defaultMemoryMb: 128,
  minMemoryMb: 16,
  maxMemoryMb: 2_048,
  /** Memory of a program before any function needs some: the engine's own heap under load. */
  processBytes: 512 * MIB,
  /** Variables of one function, and one's value. */
  envVariables: 100,
  envValueChars: 8_192,
  /** Calls of one function under way at once, per node; more are turned away. */
  concurrent: 100,
  /** A request body for a function. */
  bodyBytes: 10 * MIB,
  /** The user id given in X-Butterbase-As-User. */
  userIdChars: 200,
  /** The name of a WebSocket event. */
  eventChars: 200,
  /** A webhook's secret, and a header's name in its configuration. */
  secretChars: 500,
  headerChars: 100,
  /** How far a webhook's own time may be off; also how long a signature without an id is remembered. */
  webhookToleranceMs: 300_000,
  /** How long an event's id is remembered: senders try again for up to three days. */
  webhookMemoryMs: 7 * 86_400_000,
  webhookIdChars: 300,
  /** How long a run may outlast its time limit before its claim counts as given up. */
  claimSlackMs: 30_000,
  /** How often due schedules are looked for. */
  scheduleTickMs: 1_000,
  /** Schedules that one node takes up at once. */
  schedulesAtOnce: 50,
  /** Missed runs that are counted one by one; a longer absence counts as this many. */
  missedRuns: 300,
  /** How long the row of a deleted function is kept: as long as its logs. */
  deletedMs: 7 * 86_400_000,
  /** How often what has expired is swept. */
  sweepMs: 600_000,
  /** Log entries of one answer. */
  logs: 1_000,
  defaultLogs: 100,
} as const;
