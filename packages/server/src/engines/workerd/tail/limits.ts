/** Bounds of what is believed of a tail batch; `workers/tail-batch.js` keeps well within them. */
export const limits = {
  batchBytes: 8 * 1024 * 1024,
  events: 2_000,
  /** Different (unit, event, outcome). */
  runs: 10_000,
  runCount: 100_000_000,
  linesPerEvent: 200,
  exceptionsPerEvent: 20,
  lineChars: 5_000,
  stackChars: 10_000,
  nameChars: 300,
  pathChars: 2_048,
} as const;
