import { type Logger, pino } from "pino";

export type Log = Logger;

/** Structured log lines on standard error; the banner on standard output stays readable. */
export function createLog(level: string): Log {
  return pino(
    { level, base: undefined, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination({ fd: 2, sync: true }),
  );
}
