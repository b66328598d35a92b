import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { SubstrateChange } from "./changes.ts";
import { FIRST_PLACE } from "./cursor.ts";
import { ChangeWindow } from "./window.ts";

const placeOf = (n: number) => `${n.toString(16).toUpperCase().padStart(16, "0")}-00000000`;
const change = (organizationId: string, n: number): SubstrateChange => ({
  ...{ organizationId, op: "insert", tbl: "entities", id: `ent_${n}` },
  ...{ before: null, after: null, place: placeOf(n) },
});
const wide = {
  windowMs: 1_000,
  windowChangesPerOrganization: 1_000,
  windowChanges: 1_000,
  windowOrganizations: 100,
};

describe("ChangeWindow", () => {
  it("gives everything after a place, or says that it can't", () => {
    const bounds = {
      windowMs: fc.constantFrom(5, 50, 1_000),
      windowChangesPerOrganization: fc.integer({ min: 1, max: 30 }),
      windowChanges: fc.integer({ min: 1, max: 60 }),
      windowOrganizations: fc.integer({ min: 1, max: 4 }),
    };
    const step = fc.record({
      org: fc.integer({ min: 0, max: 5 }),
      passes: fc.integer({ min: 0, max: 4 }),
      expires: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.record(bounds), fc.array(step, { maxLength: 150, size: "max" }), (limits, steps) => {
        const window = new ChangeWindow(limits);
        const all = new Map<string, string[]>();
        let nowMs = 0;
        for (const [at, { org, passes, expires }] of steps.entries()) {
          nowMs += passes;
          const made = change(`org${org}`, at + 1);
          window.push(made, nowMs);
          all.set(made.organizationId, [...(all.get(made.organizationId) ?? []), made.place]);
          if (expires) window.expire(nowMs);
          expect(window.size).toBeLessThanOrEqual(limits.windowChanges);
          for (let known = 0; known <= at + 1; known += 7) {
            for (const [organizationId, places] of all) {
              const given = window.after(organizationId, placeOf(known));
              const wanted = places.filter((place) => place > placeOf(known));
              if (given !== null) expect(given.map(({ place }) => place)).toEqual(wanted);
            }
          }
        }
      }),
      { numRuns: 150 },
    );
  });

  it("keeps what it has room for, and what nobody missed anything of", () => {
    const window = new ChangeWindow(wide);
    for (let n = 1; n <= 10; n++) window.push(change("a", n), n);
    expect(window.after("a", placeOf(4))).toHaveLength(6);
    expect(window.after("a", FIRST_PLACE)).toHaveLength(10);
    expect(window.after("b", FIRST_PLACE)).toEqual([]);
    window.expire(1_005);
    expect([window.size, window.after("a", placeOf(4))?.length, window.after("a", placeOf(3))]).toEqual([
      6,
      6,
      null,
    ]);
    window.expire(9_999);
    expect([window.size, window.after("a", placeOf(10)), window.after("a", placeOf(9))]).toEqual([
      0,
      [],
      null,
    ]);
    expect(window.after("b", FIRST_PLACE)).toEqual([]);
  });

  it("takes from the large before the small when all is full", () => {
    const window = new ChangeWindow({ ...wide, windowChanges: 100 });
    window.push(change("small", 1), 0);
    for (let n = 2; n <= 500; n++) window.push(change("large", n), 0);
    expect(window.size).toBeLessThanOrEqual(100);
    expect(window.size).toBeGreaterThan(80);
    expect(window.after("small", FIRST_PLACE)).toHaveLength(1);
    expect(window.after("large", placeOf(450))).toHaveLength(50);
    expect(window.after("large", FIRST_PLACE)).toBeNull();
  });

  it("forgets the organisation that was quiet longest, and does not pretend otherwise", () => {
    const window = new ChangeWindow({ ...wide, windowOrganizations: 2 });
    for (const [n, org] of ["a", "b", "a", "c"].entries()) window.push(change(org, n + 1), 0);
    expect(window.after("b", placeOf(1))).toBeNull();
    expect(window.after("b", placeOf(2))).toEqual([]);
    expect(window.after("a", FIRST_PLACE)).toHaveLength(2);
    expect(window.after("never seen", placeOf(1))).toBeNull();
  });
});
