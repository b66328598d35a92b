import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { limits } from "./limits.ts";
import { decideDue, nextRun, scheduleProblem } from "./schedule.ts";

const utc = (cron: string) => ({ cron, timezone: "UTC" });
const at = (iso: string) => Date.parse(iso);

describe("scheduleProblem", () => {
  it("takes five fields and nothing else", () => {
    for (const cron of ["* * * * *", "*/5 9-17 * * 1-5", "0 0 29 2 *", "15,45 * 1 JAN,JUL MON"])
      expect(scheduleProblem(utc(cron))).toBeNull();
    for (const cron of ["", "* * * *", "* * * * * *", "@daily", "61 * * * *", "a b c d e", "0 0 31 2 *"])
      expect(scheduleProblem(utc(cron))).not.toBeNull();
    expect(scheduleProblem({ cron: "* * * * *", timezone: "Europe/Berlin" })).toBeNull();
    expect(scheduleProblem({ cron: "* * * * *", timezone: "Mars/Base" })).toContain("Mars/Base");
  });
});

describe("nextRun", () => {
  it("goes by the time zone, over the changes of its clocks too", () => {
    const nine = { cron: "0 9 * * *", timezone: "Europe/Berlin" };
    expect(nextRun(nine, at("2026-03-28T09:00:00Z"))).toBe(at("2026-03-29T07:00:00Z"));
    expect(nextRun(nine, at("2026-03-27T09:00:00Z"))).toBe(at("2026-03-28T08:00:00Z"));
  });
});

describe("decideDue", () => {
  it("runs once for the latest time that has come, and counts the others", () => {
    const hourly = utc("0 * * * *");
    const due = at("2026-01-01T00:00:00Z");
    expect(decideDue(hourly, due, due + 5)).toEqual({ scheduledMs: due, missed: 0, nextMs: due + 3_600_000 });
    expect(decideDue(hourly, due, at("2026-01-01T05:30:00Z"))).toEqual({
      scheduledMs: at("2026-01-01T05:00:00Z"),
      missed: 5,
      nextMs: at("2026-01-01T06:00:00Z"),
    });
  });

  it("does not count through years of minutes", () => {
    const due = decideDue(utc("* * * * *"), 0, at("2026-01-01T00:00:30Z"));
    expect(due.missed).toBe(limits.missedRuns);
    expect(due.scheduledMs).toBe(at("2026-01-01T00:00:00Z"));
    expect(due.nextMs).toBe(at("2026-01-01T00:01:00Z"));
  });

  it("always goes on in the future, never runs early, and loses no time between two decisions", () => {
    const cron = fc.constantFrom("* * * * *", "*/7 * * * *", "30 4 * * *", "0 0 * * 1", "5 5 5 5 *");
    fc.assert(
      fc.property(cron, fc.integer({ min: 0, max: 300_000 }), (pattern, minutesLate) => {
        const schedule = utc(pattern);
        const due = nextRun(schedule, at("2026-01-01T00:00:00Z"))!;
        const now = due + minutesLate * 60_000;
        const { scheduledMs, missed, nextMs } = decideDue(schedule, due, now);
        expect(scheduledMs).toBeGreaterThanOrEqual(due);
        expect(scheduledMs).toBeLessThanOrEqual(now);
        expect(nextMs).toBeGreaterThan(now);
        expect(missed).toBeLessThanOrEqual(limits.missedRuns);
        expect(nextRun(schedule, scheduledMs)).toBe(nextMs);
      }),
      { numRuns: 30 },
    );
  });
});
