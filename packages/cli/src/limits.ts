/** Limits of the command line. */
export const limits = {
  /** Asking a server whether it is there. */
  probeMs: 10_000,
  /** One tool call, a little longer than the server allows it. */
  callMs: 70_000,
  /** Silence of the server in the middle of an export. */
  exportIdleMs: 60_000,
  /** A file with a public key or a checkpoint. */
  smallFileBytes: 64 * 1024,
  /** Text of an unexpected answer that is shown. */
  shownChars: 300,
} as const;
