import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decimalOf, decimalText, exceeds, plus, readDecimal } from "./decimal.ts";
import { isQuiet, localTime, readTimeOfDay } from "./quiet-hours.ts";
import { WINDOWS, windowAt } from "./windows.ts";

describe("decimals", () => {
  it("add up exactly what floating point does not", () => {
    const sum = [0.1, 0.2, 0.3].map((each) => decimalOf(each)!).reduce(plus);
    expect(decimalText(sum)).toBe("0.6");
    expect(exceeds(sum, readDecimal("0.6")!)).toBe(false);
    expect(exceeds(plus(sum, readDecimal("1e-300")!), readDecimal("0.6")!)).toBe(true);
  });

  it("agree with integers scaled up", () => {
    const cents = fc.integer({ min: -1_000_000, max: 1_000_000 });
    fc.assert(
      fc.property(cents, cents, (a, b) => {
        const [x, y] = [decimalOf(a / 100)!, decimalOf(b / 100)!];
        expect(exceeds(x, y)).toBe(a > b);
        expect(Number(decimalText(plus(x, y)))).toBe((a + b) / 100);
      }),
      { seed: 7, numRuns: 2_000 },
    );
  });

  it("read every number JSON can write and nothing else", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        expect(Number(decimalText(decimalOf(value)!))).toBe(value === 0 ? 0 : value);
      }),
      { seed: 8, numRuns: 2_000 },
    );
    for (const text of ["", "NaN", "Infinity", "1.", ".5", "1e", "0x10", " 1", "1e99999"])
      expect(readDecimal(text)).toBeNull();
  });
});

describe("windows", () => {
  it("hold the instant, follow each other without a gap, and begin at their calendar's beginning", () => {
    const instant = fc.integer({ min: Date.UTC(2000, 0, 1), max: Date.UTC(2100, 0, 1) });
    fc.assert(
      fc.property(fc.constantFrom(...WINDOWS), instant, (window, nowMs) => {
        const { fromMs, untilMs } = windowAt(window, nowMs);
        expect(fromMs <= nowMs && nowMs < untilMs).toBe(true);
        expect(windowAt(window, untilMs).fromMs).toBe(untilMs);
        expect(windowAt(window, fromMs - 1).untilMs).toBe(fromMs);
        const from = new Date(fromMs).toISOString();
        expect(from.endsWith(":00:00.000Z")).toBe(true);
        if (window !== "hour") expect(from.endsWith("T00:00:00.000Z")).toBe(true);
        if (window === "week") expect(new Date(fromMs).getUTCDay()).toBe(1);
        if (window === "month") expect(new Date(fromMs).getUTCDate()).toBe(1);
      }),
      { seed: 9, numRuns: 2_000 },
    );
  });
});

describe("quiet hours", () => {
  const berlin = { from: readTimeOfDay("22:00")!, until: readTimeOfDay("06:00")!, timezone: "Europe/Berlin" };
  const at = (text: string) => Date.parse(text);

  it("follow the clocks of their time zone, in summer and in winter", () => {
    const everyDay = { ...berlin, days: null };
    // 22:00 in Berlin is 20:00 UTC in July and 21:00 UTC in January.
    expect(isQuiet(everyDay, at("2026-07-01T19:59:00Z"))).toBe(false);
    expect(isQuiet(everyDay, at("2026-07-01T20:00:00Z"))).toBe(true);
    expect(isQuiet(everyDay, at("2026-01-15T20:59:00Z"))).toBe(false);
    expect(isQuiet(everyDay, at("2026-01-15T21:00:00Z"))).toBe(true);
    expect(isQuiet(everyDay, at("2026-01-16T04:59:00Z"))).toBe(true);
    expect(isQuiet(everyDay, at("2026-01-16T05:00:00Z"))).toBe(false);
  });

  it("over midnight belong to the day on which they began", () => {
    const fridays = { ...berlin, days: ["fri"] as const };
    expect(isQuiet(fridays, at("2026-11-20T22:30:00Z"))).toBe(true); // Friday 23:30
    expect(isQuiet(fridays, at("2026-11-21T03:00:00Z"))).toBe(true); // Saturday 04:00, of Friday's night
    expect(isQuiet(fridays, at("2026-11-21T22:30:00Z"))).toBe(false); // Saturday 23:30
    expect(isQuiet(fridays, at("2026-11-20T03:00:00Z"))).toBe(false); // Friday 04:00, of Thursday's night
  });

  it("agree with a minute-by-minute reading", () => {
    const minute = fc.integer({ min: 0, max: 1_439 });
    fc.assert(
      fc.property(minute, minute, fc.integer({ min: 0, max: 10 * 1_440 }), (from, until, offset) => {
        fc.pre(from !== until);
        const nowMs = at("2026-03-02T00:00:00Z") + offset * 60_000;
        const quiet: boolean[] = Array.from({ length: 1_440 }, () => false);
        for (let each = from; each !== until; each = (each + 1) % 1_440) quiet[each] = true;
        const { minute: now } = localTime(nowMs, "UTC");
        expect(isQuiet({ from, until, timezone: "UTC", days: null }, nowMs)).toBe(quiet[now]);
      }),
      { seed: 10, numRuns: 500 },
    );
  });

  it("a whole day goes from 00:00 to 24:00", () => {
    const sundays = { from: 0, until: readTimeOfDay("24:00")!, timezone: "UTC", days: ["sun"] as const };
    expect(isQuiet(sundays, at("2026-11-22T23:59:00Z"))).toBe(true);
    expect(isQuiet(sundays, at("2026-11-23T00:00:00Z"))).toBe(false);
    for (const text of ["24:01", "7:00", "12:60", "noon"]) expect(readTimeOfDay(text)).toBeNull();
  });
});
