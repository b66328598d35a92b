/** Limits of snapshots. */
export const limits = {
  /** Days a caller may ask for. */
  days: 365,
  defaultDays: 30,
  /** How old today's snapshot may be when somebody asks for it. */
  freshMs: 60_000,
  /** How old it may get when nobody does; the last of a day is at most this much before midnight. */
  refreshMs: 15 * 60_000,
  /** How often organisations with an old snapshot are looked for, and how many are done in one go. */
  tickMs: 30_000,
  atOnce: 50,
  /** How long snapshots are kept. */
  keptDays: 800,
} as const;
