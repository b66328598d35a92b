/** Limits of the engine: what one program may have under way, and how long each step of its life may take. */
export const limits = {
  /** Requests of one program at a time, in user code or waiting for its start. */
  inFlight: 1_000,
  /** WebSockets of one program at a time. */
  sockets: 20_000,
  /** Requests kept waiting while a program is replaced or started. */
  held: 1_000,
  /** How long such a request waits before it is told to come again. */
  holdMs: 15_000,
  /** How long a swap waits for requests under way; what takes longer is cut off. */
  drainMs: 10_000,
  /** The same for answers without an end, like event streams. */
  streamDrainMs: 1_000,
  /** What `waitUntil` may take after an answer. */
  waitUntilMs: 30_000,
  /** A process that was replaced and still has requests is looked at this often. */
  retiredLookMs: 100,
  /** How long a stop of Ambit itself waits for them. */
  closeDrainMs: 1_000,
  /** From SIGTERM to SIGKILL, once no request is under way. */
  terminateMs: 250,
  /** Without requests and sockets for this long, a program is stopped. */
  idleMs: 5 * 60_000,
  /** Health is asked for this often while requests or sockets are there, and never otherwise. */
  healthMs: 250,
  /** A process that does not answer for this long has its thread in an endless loop. */
  healthAnswerMs: 1_000,
  /** … if the thread ran, or was ready to, for at least this share of it; else it waits for its disk, and gets longer. */
  loopBusyShare: 0.8,
  blockedAnswerMs: 30_000,
  /** A thread that sleeps this often a second waits for its disk, or for its collector; on a starved host who knows. */
  sleeperPerS: 20,
  starvedAnswerMs: 8_000,
  /** Processes nobody talks to are looked at this often; one that used more than this meanwhile is asked. */
  idleLookMs: 1_000,
  idleCpuMs: 200,
  /** Of its limit of open files: a process this near to it would die of it at the next accept. */
  descriptorShare: 0.9,
  /** Sockets may take this share of it: more are refused, long before the process has to be ended. */
  socketShare: 0.6,
  /** Where that limit can not be read. */
  fallbackDescriptors: 1_024,
  /** Time used is told this often. */
  cpuReportMs: 5_000,
  /** A program that died is started again at once, then after pauses that double up to the longest. */
  restartFirstPauseMs: 500,
  restartLongestPauseMs: 30_000,
  /** Deaths without a pause. */
  freeRestarts: 2,
  /** A program that lived this long is forgiven its earlier deaths. */
  restartForgiveMs: 60_000,
  /** An alarm whose program may not start now (its app is paused, or at home on another node) is tried again then. */
  alarmRefusedMs: 30_000,
  /** The longest timer for an alarm; later ones are looked at again then. */
  alarmTimerMs: 24 * 60 * 60_000,
  /** Programs whose files are read at a time when Ambit starts. */
  alarmScans: 4,
  /** Inspections: one answer, and its size. */
  inspectMs: 10_000,
  inspectBytes: 8 * 1024 * 1024,
  /** A program whose tail batches make no sense is complained of this often. */
  tailComplaintMs: 60_000,
  /** One tail batch, and how many of one process are read at a time: an honest one sends one after the other. */
  tailBytes: 8 * 1024 * 1024,
  tailBatches: 4,

  /** Idle connections to one socket of a program. */
  idleConnections: 64,
  /** workerd closes a connection that was idle for 5 s; ours are never used that late. */
  idleConnectionMs: 4_000,
  /** Status line and headers of an answer. */
  answerHeadBytes: 128 * 1024,
  /** A request body up to this size travels with its headers in one write. */
  joinedBodyBytes: 16 * 1024,
  /** A read from a process. */
  readBytes: 64 * 1024,
  /** A process that takes no more of a request has this long for its answer to be read. */
  lastWordsMs: 2_000,
  /** Requests cut off this long before the end of a process were its last. */
  casualtyMs: 2_000,
  /** A socket that ended without a close frame: whether its process died is known within this time. */
  lossMs: 100,
  /** What a client may send before its upgrade is answered; it is read no further until then. */
  earlyBytes: 64 * 1024,
  /** After our close frame, a client may take this long to answer before its socket is cut. */
  closeHandshakeMs: 1_000,
} as const;
