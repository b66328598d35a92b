import type { Reservation } from "@ambit/policy";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { limits } from "./limits.ts";
import { planGiveBack, planReserve, storedKey, uncountable } from "./plan.ts";
import { reservation } from "./testing/stand.ts";

const key = fc.constantFrom("a", "b", "B", "ä", "grant:1/x/day", "\ud800", "n\0l", "x".repeat(3_000));
const some: fc.Arbitrary<Reservation> = fc
  .record({ key, cost: fc.nat(5), max: fc.integer({ min: 1, max: 9 }), window: fc.nat(2) })
  .map(({ key: name, ...more }) => reservation(name, more));
const requests = fc.array(fc.array(some, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 6 });

describe("a plan", () => {
  it("names each counter once, in an order that does not depend on who asks", () => {
    fc.assert(
      fc.property(requests, fc.infiniteStream(fc.nat()), (asked, random) => {
        const plan = planReserve(asked);
        const places = plan.keys.map((name, at) => `${name} ${plan.starts[at]}`);
        expect(new Set(places).size).toBe(places.length);
        const shuffled = asked
          .map((each) => [random.next().value as number, each] as const)
          .sort(([a], [b]) => a - b)
          .map(([, each]) => each);
        const other = planReserve(shuffled);
        expect([other.keys, other.starts, other.ends]).toEqual([plan.keys, plan.starts, plan.ends]);
        const back = planGiveBack(asked.flat());
        const rest = places.filter((place) =>
          back.keys.some((name, at) => `${name} ${back.starts[at]}` === place),
        );
        expect(rest).toEqual(back.keys.map((name, at) => `${name} ${back.starts[at]}`));
      }),
    );
  });

  it("leads back to what was asked for", () => {
    fc.assert(
      fc.property(requests, (asked) => {
        const plan = planReserve(asked);
        const read = plan.requests.map((request, at) => {
          const counter = plan.counters[at]! - 1;
          return [
            request,
            plan.keys[counter],
            plan.starts[counter],
            plan.ends[counter],
            plan.costs[at],
            plan.maxima[at],
          ];
        });
        const expected = asked.flatMap((reservations, index) =>
          reservations.map((each) => [
            index + 1,
            storedKey(each.key),
            new Date(each.windowStartMs).toISOString(),
            new Date(each.windowEndMs).toISOString(),
            each.cost,
            each.max,
          ]),
        );
        expect(read).toEqual(expected);
      }),
    );
  });

  it("adds up what goes back into the same window", () => {
    const plan = planGiveBack([
      reservation("b", { cost: 2 }),
      reservation("a", { cost: 1 }),
      reservation("b", { cost: 3 }),
      reservation("b", { cost: 7, window: 1 }),
      reservation("free", { cost: 0 }),
      reservation("half", { cost: 0.5 }),
    ]);
    expect(plan).toEqual({
      keys: ["a", "b", "b"],
      starts: ["1970-01-01T00:00:00.000Z", "1970-01-01T00:00:00.000Z", "1970-01-01T00:01:00.000Z"],
      costs: [1, 5, 7],
    });
  });

  it("bounds what a bigint could not hold", () => {
    const most = Number.MAX_SAFE_INTEGER;
    const maxima = [1e308, Infinity, 2 ** 63, 3.9, -1e300].map((max) => reservation("a", { max }));
    expect(planReserve([maxima]).maxima).toEqual([most, most, most, 3, -1]);
    expect(planGiveBack([reservation("a", { cost: most }), reservation("a", { cost: most })]).costs).toEqual([
      most,
    ]);
  });
});

describe("what can't be counted", () => {
  it("is named, the first of it", () => {
    const good = reservation("a");
    const bad: Partial<Reservation>[] = [
      ...[-1, 0.5, Number.NaN, Infinity, 2 ** 53, "1" as never].map((cost) => ({ cost })),
      ...[Number.NaN].map((max) => ({ max })),
      ...[Number.NaN, -1, 0.5, 1e17].map((windowStartMs) => ({ windowStartMs })),
      ...[Number.NaN, 0, 1e17].map((windowEndMs) => ({ windowEndMs })),
    ];
    expect(uncountable([good, reservation("free", { cost: 0 })])).toBeNull();
    for (const over of bad) {
      const first = { ...good, ...over };
      expect(uncountable([good, first, { ...first }]), JSON.stringify(over)).toBe(first);
    }
  });
});

describe("a stored key", () => {
  it("is what Postgres can hold, and different for different keys", () => {
    const odd = fc.oneof(
      fc.string({ unit: "binary", maxLength: 40 }),
      fc.string({ unit: fc.constantFrom("\ud800", "\udc00", "\0", "a"), maxLength: 6 }),
      fc.nat(3).map((n) => "long".repeat(500) + n),
    );
    fc.assert(
      fc.property(odd, odd, (a, b) => {
        const stored = storedKey(a);
        expect(stored.isWellFormed() && !stored.includes("\0")).toBe(true);
        expect(Buffer.byteLength(stored)).toBeLessThanOrEqual(limits.keyBytes);
        expect(storedKey(b) === stored).toBe(a === b);
      }),
    );
    expect(storedKey("grant:gra_1/spend/day")).toBe("grant:gra_1/spend/day");
  });
});
