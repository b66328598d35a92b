/** Limits of the stream of the substrate's changes. */
export const limits = {
  /** How long a ticket may be used. */
  ticketS: 60,
  /** Tickets of one organisation that are not used yet. */
  ticketsPerOrganization: 1_000,
  /** How often tickets that ran out, and changes nobody may ask for any more, are thrown away. */
  sweepMs: 30_000,
  /** How long a change can be caught up on after a connection was lost. */
  windowMs: 15 * 60_000,
  /** Changes of one organisation that can be caught up on; about 300 bytes each. */
  windowChangesPerOrganization: 10_000,
  /** The same of all organisations together. */
  windowChanges: 100_000,
  /** Organisations whose changes are kept. */
  windowOrganizations: 10_000,
  /** A new stream waits this long for the log to become readable. */
  readyMs: 10_000,
} as const;
