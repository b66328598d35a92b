import { Problem } from "./problem.ts";

const UNITS_MS: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 7 * 86_400_000,
};
const DURATION = /^(\d{1,6})([smhdw])$/;
const ISO = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?$/i;

/** A time as ISO 8601; without an offset it is UTC. Milliseconds since the epoch, or null. Pure. */
export function instantMs(text: string): number | null {
  const parts = ISO.exec(text);
  if (parts === null) return null;
  const ms = Date.parse(text.includes("T") && parts[1] === undefined ? `${text}Z` : text);
  return Number.isNaN(ms) ? null : ms;
}

/** A flag's time as ISO 8601: given as such, or as a duration like `90d`, `12h`, `30m` from now or before now. Throws Problem. */
export function timeFlag(flag: string, text: string, nowMs: number, direction: "ahead" | "ago"): string {
  const duration = DURATION.exec(text);
  const ms =
    duration === null
      ? instantMs(text)
      : nowMs + (direction === "ahead" ? 1 : -1) * Number(duration[1]) * UNITS_MS[duration[2]!]!;
  if (ms !== null && Math.abs(ms) <= 8.64e15) return new Date(ms).toISOString();
  throw new Problem(
    `--${flag} takes a duration such as 90d, 12h or 30m, or a time such as 2027-01-31T12:00:00Z.`,
  );
}
