export const WINDOWS = ["hour", "day", "week", "month"] as const;
/** A calendar window in UTC; a week begins on Monday. */
export type Window = (typeof WINDOWS)[number];

/** From when until when (exclusive), in milliseconds since the epoch, the window goes that `nowMs` is in. Pure. */
export function windowAt(
  window: Window,
  nowMs: number,
): { readonly fromMs: number; readonly untilMs: number } {
  const now = new Date(nowMs);
  const [year, month, day] = [now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate()];
  const sinceMonday = (now.getUTCDay() + 6) % 7;
  switch (window) {
    case "hour": {
      const fromMs = Date.UTC(year, month, day, now.getUTCHours());
      return { fromMs, untilMs: fromMs + 3_600_000 };
    }
    case "day":
      return { fromMs: Date.UTC(year, month, day), untilMs: Date.UTC(year, month, day + 1) };
    case "week":
      return {
        fromMs: Date.UTC(year, month, day - sinceMonday),
        untilMs: Date.UTC(year, month, day - sinceMonday + 7),
      };
    case "month":
      return { fromMs: Date.UTC(year, month, 1), untilMs: Date.UTC(year, month + 1, 1) };
  }
}
