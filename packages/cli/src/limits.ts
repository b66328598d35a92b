/** Limits of the command line. */
export const limits = {
  /** Asking a server whether it is there. */
  probeMs: 10_000,
  /** One tool call, a little longer than the server allows it. */
  callMs: 70_000,
  /** Text of an unexpected answer that is shown. */
  shownChars: 300,
} as const;
