import { describe, expect, it } from "vitest";
import { apportionCpu, monthOf, nextMonthMs } from "./apportion.ts";
import { createBlames, type DeathRecord, decideBlame, recordDeath } from "./blame.ts";
import { decideHome } from "./home-decision.ts";
import { readHosts } from "./hosts.ts";
import { limits } from "./limits.ts";
import { newRate, takeTurn } from "./log-rate.ts";
import { failed, outcomeWord, tailFailed } from "./outcome.ts";
import { outcome, tailEvent } from "./testing/world.ts";

describe("blame", () => {
  const MINUTE = 60_000;
  const after = (deaths: ["unresponsive" | "memory" | "crashed" | "descriptors", number][]) =>
    deaths.reduce<DeathRecord>((record, [death, atMs]) => recordDeath(record, death, atMs), []);

  it("falls on a unit at the third death within ten minutes, for five minutes", () => {
    const record = after([
      ["unresponsive", 0],
      ["memory", 5 * MINUTE],
    ]);
    expect(decideBlame(record, 5 * MINUTE)).toBeNull();
    const third = recordDeath(record, "unresponsive", 10 * MINUTE);
    expect(decideBlame(third, 10 * MINUTE)).toMatchObject({ untilMs: 15 * MINUTE });
    expect(decideBlame(third, 10 * MINUTE)!.reason).toContain("did not give the thread back");
    expect(decideBlame(third, 15 * MINUTE)).toBeNull();
    expect(decideBlame(recordDeath(third, "memory", 16 * MINUTE), 16 * MINUTE)).toBeNull();
  });
  it("does not fall for deaths further apart, or that may have other reasons", () => {
    expect(
      decideBlame(
        after([
          ["memory", 0],
          ["memory", 5 * MINUTE],
          ["memory", 10 * MINUTE + 1],
        ]),
        11 * MINUTE,
      ),
    ).toBeNull();
    expect(
      after([
        ["crashed", 0],
        ["descriptors", 1],
        ["crashed", 2],
      ]),
    ).toEqual([]);
  });
  it("is of one unit of one program, and a deploy clears it", () => {
    const blames = createBlames();
    for (const atMs of [1, 2, 3]) blames.onDeath("app_a", "actors", ["room", "room"], "memory", atMs);
    blames.onDeath("app_a", "actors", ["other"], "memory", 3);
    expect(blames.find("app_a", "actors", "room", 4)).not.toBeNull();
    expect(blames.find("app_a", "actors", "other", 4)).toBeNull();
    expect(blames.find("app_a", "functions", "room", 4)).toBeNull();
    expect(blames.find("app_b", "actors", "room", 4)).toBeNull();
    blames.pardon("app_a", "actors", "room");
    expect(blames.find("app_a", "actors", "room", 4)).toBeNull();
  });
});

describe("homes", () => {
  const row = { node_id: "n1", host: "h" };
  it("are where the row says", () => {
    expect([decideHome(row, "n1"), decideHome(row, "n2"), decideHome(null, "n1")]).toEqual([
      "ours",
      "elsewhere",
      "no_app",
    ]);
  });
});

describe("usage", () => {
  it("apportions CPU by time, else by requests, and loses none", () => {
    const units = [
      { requests: 1, wallMs: 30 },
      { requests: 99, wallMs: 10 },
    ];
    expect(apportionCpu(100, units)).toEqual([75, 25]);
    expect(
      apportionCpu(
        100,
        units.map((unit) => ({ ...unit, wallMs: 0 })),
      ),
    ).toEqual([1, 99]);
    expect(
      apportionCpu(
        9,
        [0, 0, 0].map(() => ({ requests: 0, wallMs: 0 })),
      ),
    ).toEqual([3, 3, 3]);
    expect(apportionCpu(100, [])).toEqual([]);
  });
  it("counts months in UTC", () => {
    expect(monthOf(Date.UTC(2026, 11, 31, 23, 59, 59, 999))).toBe("2026-12-01");
    expect(nextMonthMs(Date.UTC(2026, 11, 31))).toBe(Date.UTC(2027, 0, 1));
  });
});

describe("outcomes", () => {
  it.each([
    [outcome(), "ok", false],
    [outcome({ status: 404 }), "ok", false],
    [outcome({ status: 500 }), "error", true],
    [outcome({ status: 0, end: "caller_gone" }), "caller_gone", false],
    [outcome({ status: 504, end: "timeout" }), "timeout", true],
    [outcome({ status: 0, end: "process_lost" }), "process_lost", true],
  ])("%o", (given, word, isFailure) => {
    expect([outcomeWord(given), failed(given)]).toEqual([word, isFailure]);
  });
  it("of runs", () => {
    expect(tailFailed(tailEvent())).toBe(false);
    expect(tailFailed(tailEvent({ outcome: "canceled" }))).toBe(false);
    expect(tailFailed(tailEvent({ outcome: "exception" }))).toBe(true);
    const exceptions = [{ name: "Error", message: "m", stack: null, atMs: 0 }];
    expect(tailFailed(tailEvent({ exceptions }))).toBe(true);
  });
});

describe("log rates", () => {
  it("keep so many a second, with room of their own for failures, and count the rest", () => {
    const rate = newRate();
    let kept = 0;
    for (let i = 0; i < 1_000; i++) if (takeTurn(rate, false, 5_000 + (i % 900))) kept += 1;
    expect([kept, rate.dropped]).toEqual([limits.entriesPerSecond, 900]);
    expect(takeTurn(rate, true, 5_999)).toBe(true);
    expect(takeTurn(rate, false, 6_000)).toBe(true);
  });
});

describe("host lists", () => {
  it("are brought into one spelling", () => {
    expect(
      readHosts(["API.Example.com.", "api.example.com", "*.Example.com", "bücher.example", "[::1]"]),
    ).toEqual(["api.example.com", "*.example.com", "xn--bcher-kva.example", "::1"]);
    expect(readHosts(["8.8.8.8", "2606:4700::1111", "localhost"])).toHaveLength(3);
  });
  it.each([
    "",
    "*",
    "*.",
    "a b",
    "a:80",
    "http://a",
    "a/b",
    "a?b",
    "u@a",
    "*.8.8.8.8",
    "a*.b",
    "*.*.a",
    "a..b",
    "%61.b",
  ])("%s is no host", (entry) => expect(() => readHosts([entry])).toThrow(/not a host name/));
});
