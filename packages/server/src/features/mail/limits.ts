/** Limits of mail. */
export const limits = {
  /** Mails an app keeps for its developers, or an organisation for its admins; older ones go first. */
  keptPerOwner: 200,
  /** And for how long. */
  keptMs: 7 * 24 * 3_600_000,
  /** Tries to hand a mail to the SMTP server before it is given up. */
  attempts: 6,
  /** Pause after the first failed try; doubles with each further one. */
  firstRetryMs: 30_000,
  /** How often mail left over from failures or another node is looked for. */
  pollMs: 15_000,
  /** From the end of the transaction that sends mail to when it is looked for; should that end later, `pollMs` holds. */
  afterCommitMs: 250,
  /** Connecting to the SMTP server, its greeting, and each silence after that. */
  smtpMs: 10_000,
} as const;
