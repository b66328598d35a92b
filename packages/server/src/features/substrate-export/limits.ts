/** Limits of exports. */
export const limits = {
  /** Exports one node writes at once; each holds a connection of its own, and a snapshot of the database. */
  atOnce: 2,
  /** Rows fetched at once; the largest have some megabytes. */
  fetchRows: 16,
  /** Lines are sent together up to this many characters. */
  chunkChars: 64 * 1024,
  /** How long a reader may take for one such piece; past it the export is given up. */
  stallMs: 60_000,
  /** A whole export: as long as it lasts, the database keeps old versions of its rows. */
  totalMs: 60 * 60_000,
  connectMs: 5_000,
} as const;
