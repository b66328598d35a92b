/** Hours in which nobody should act unasked. */
export interface QuietHours {
  /** Minutes since local midnight; `until` below `from` goes over midnight into the next day. */
  readonly from: number;
  readonly until: number;
  /** IANA name, e.g. `Europe/Berlin`. */
  readonly timezone: string;
  /** Days on which they begin; null: every day. */
  readonly days: readonly Day[] | null;
}

export const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;
export type Day = (typeof DAYS)[number];

/** Minutes since midnight of `HH:MM`; `24:00` is the end of a day. Null for anything else. */
export function readTimeOfDay(text: string): number | null {
  const match = /^([01]\d|2[0-4]):([0-5]\d)$/.exec(text);
  if (match === null) return null;
  const minutes = Number(match[1]) * 60 + Number(match[2]);
  return minutes <= 1_440 ? minutes : null;
}

export function isTimezone(name: string): boolean {
  try {
    return formatter(name) !== null;
  } catch {
    return false;
  }
}

const formatters = new Map<string, Intl.DateTimeFormat>();
/** Names of time zones are few; whoever invents more gets theirs made anew each time. */
const KEPT = 600;

function formatter(timezone: string): Intl.DateTimeFormat {
  let made = formatters.get(timezone);
  if (made === undefined) {
    made = new Intl.DateTimeFormat("en-GB", {
      ...{ timeZone: timezone, hourCycle: "h23", weekday: "short", hour: "2-digit", minute: "2-digit" },
    });
    if (formatters.size < KEPT) formatters.set(timezone, made);
  }
  return made;
}

/** Day and minute on the clocks of a time zone. Pure. */
export function localTime(nowMs: number, timezone: string): { readonly day: Day; readonly minute: number } {
  const parts = new Map(
    formatter(timezone)
      .formatToParts(nowMs)
      .map(({ type, value }) => [type, value]),
  );
  return {
    day: parts.get("weekday")!.slice(0, 3).toLowerCase() as Day,
    minute: Number(parts.get("hour")) * 60 + Number(parts.get("minute")),
  };
}

/** Whether it is quiet now. Quiet hours over midnight belong to the day on which they began. Pure. */
export function isQuiet({ from, until, timezone, days }: QuietHours, nowMs: number): boolean {
  const { day, minute } = localTime(nowMs, timezone);
  const on = (each: Day) => days === null || days.includes(each);
  const dayBefore = DAYS[(DAYS.indexOf(day) + 6) % 7]!;
  if (from < until) return on(day) && minute >= from && minute < until;
  return (on(day) && minute >= from) || (on(dayBefore) && minute < until);
}
