import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { limits } from "./limits.ts";
import { decideNext, type Outcome, retryAfterMs } from "./retry.ts";

const NOW = Date.parse("2026-05-04T10:00:00Z");
const answered = (status: number, asked: number | null = null): Outcome => ({
  kind: "answered",
  status,
  retryAfterMs: asked,
});
const silent: Outcome = { kind: "failed", error: "no answer" };
const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const attempt = fc.integer({ min: 1, max: limits.attempts });
const temporary = fc.oneof(
  fc.constant(silent),
  fc
    .integer({ min: 100, max: 599 })
    .filter((status) => (status < 200 || status > 299) && status !== 410)
    .map((status) => answered(status)),
);

describe("decideNext", () => {
  it("takes 2xx, and nothing else, for success", () => {
    fc.assert(
      fc.property(attempt, fc.integer({ min: 100, max: 599 }), random, (tries, status, chance) => {
        const { state } = decideNext(tries, answered(status), NOW, chance);
        expect(state === "delivered").toBe(status >= 200 && status < 300);
      }),
    );
  });

  it("tries again, later and later, until the tries are used up", () => {
    fc.assert(
      fc.property(temporary, random, random, (outcome, one, other) => {
        let before = 0;
        for (let tries = 1; tries < limits.attempts; tries++) {
          const step = decideNext(tries, outcome, NOW, tries % 2 === 0 ? one : other);
          if (step.state !== "failed") throw new Error(`try ${tries} gave ${step.state}`);
          const pause = step.nextAttemptMs - NOW;
          expect(Number.isInteger(pause)).toBe(true);
          expect(pause).toBeGreaterThan(before);
          before = pause;
        }
        expect(decideNext(limits.attempts, outcome, NOW, one).state).toBe("dead");
      }),
    );
  });

  it("begins after seconds and gives up after about a day, wherever the jitter falls", () => {
    for (const chance of [0, 0.5, 0.999_999]) {
      const first = decideNext(1, silent, NOW, chance);
      expect(first).toMatchObject({ state: "failed" });
      let total = 0;
      for (let tries = 1; tries < limits.attempts; tries++) {
        const step = decideNext(tries, silent, NOW, chance);
        total += step.state === "failed" ? step.nextAttemptMs - NOW : 0;
      }
      expect(total).toBeGreaterThan(16 * 3_600_000);
      expect(total).toBeLessThan(30 * 3_600_000);
    }
    expect(decideNext(1, silent, NOW, 0)).toMatchObject({ nextAttemptMs: NOW + 4_000 });
    expect(decideNext(1, silent, NOW, 0.5)).toMatchObject({ nextAttemptMs: NOW + 5_000 });
  });

  it("is dead at once where nothing will ever be taken", () => {
    expect(decideNext(1, { kind: "refused", error: "not public" }, NOW, 0)).toEqual({
      state: "dead",
      error: "not public",
    });
    expect(decideNext(1, answered(410), NOW, 0)).toMatchObject({ state: "dead" });
  });

  it("waits as long as the receiver asks, never shorter than its own pause, never longer than a day", () => {
    expect(decideNext(1, answered(503, 60_000), NOW, 0.5)).toMatchObject({ nextAttemptMs: NOW + 60_000 });
    expect(decideNext(5, answered(429, 1), NOW, 0.5)).toMatchObject({ nextAttemptMs: NOW + 524_288 });
    expect(decideNext(1, answered(429, 1e12), NOW, 0.5)).toMatchObject({
      nextAttemptMs: NOW + 86_400_000,
    });
  });
});

describe("retryAfterMs", () => {
  it("reads seconds and dates", () => {
    expect(retryAfterMs("120", NOW)).toBe(120_000);
    expect(retryAfterMs("Mon, 04 May 2026 10:00:30 GMT", NOW)).toBe(30_000);
    expect(retryAfterMs("Mon, 04 May 2020 10:00:30 GMT", NOW)).toBe(0);
    expect(retryAfterMs("soon", NOW)).toBeNull();
    expect(retryAfterMs(undefined, NOW)).toBeNull();
  });
});
