/** Bounds of one server's programs. */
export interface StdioLimits {
  /** One message, either way; a longer line of the program's is dropped. */
  readonly maxMessageBytes: number;
  /** What may wait for a program that does not read; more is refused. */
  readonly maxPendingBytes: number;
  /** Kept of standard error. */
  readonly stderrTailBytes: number;
  /** After its input was closed, a program is asked to end (SIGTERM) after this, */
  readonly terminateAfterMs: number;
  /** and ended (SIGKILL) this much later. */
  readonly killAfterMs: number;
  /** What a program that has ended wrote before is still read for this long. */
  readonly drainMs: number;
  /** Back-off after a crash: doubled each time, from the first to the last. */
  readonly firstBackoffMs: number;
  readonly lastBackoffMs: number;
  /** A program that lived this long ended for new reasons. */
  readonly healthyAfterMs: number;
  /** A start that would have to wait longer than this fails instead. */
  readonly maxStartWaitMs: number;
  /** Open files of each process; processes and threads of all of a server's programs. */
  readonly maxOpenFiles: number;
  readonly maxProcesses: number;
  /** Data of one process (RLIMIT_DATA). */
  readonly maxDataBytes: number;
}

export const stdioLimits: StdioLimits = {
  maxMessageBytes: 10 * 1024 * 1024,
  maxPendingBytes: 32 * 1024 * 1024,
  stderrTailBytes: 8 * 1024,
  terminateAfterMs: 300,
  killAfterMs: 2_000,
  drainMs: 500,
  firstBackoffMs: 100,
  lastBackoffMs: 30_000,
  healthyAfterMs: 60_000,
  maxStartWaitMs: 2_000,
  maxOpenFiles: 4_096,
  maxProcesses: 1_024,
  maxDataBytes: 4 * 1024 ** 3,
};
