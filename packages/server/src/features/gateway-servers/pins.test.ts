import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readTools } from "./definitions.ts";
import { comparePins, isNothing, type Pin, type PinChanges, stateOf } from "./pins.ts";

const NAMES = ["a", "b", "c", "d", "e"];
const listOf = (versions: Readonly<Record<string, number>>) =>
  readTools(Object.entries(versions).map(([name, version]) => ({ name, description: `version ${version}` })));

/** What a database holds after these changes. */
function applied(known: ReadonlyMap<string, Pin>, changes: PinChanges, nowMs: number): Map<string, Pin> {
  const after = new Map(known);
  for (const name of changes.forgotten) after.delete(name);
  for (const { name, hash } of changes.pinned)
    after.set(name, { approvedHash: hash, presentHash: hash, goneAtMs: null });
  for (const { name, hash } of [...changes.changed, ...changes.restored]) {
    after.set(name, {
      approvedHash: after.get(name)?.approvedHash ?? null,
      presentHash: hash,
      goneAtMs: null,
    });
  }
  for (const name of changes.back) after.set(name, { ...after.get(name)!, goneAtMs: null });
  for (const name of changes.gone) after.set(name, { ...after.get(name)!, goneAtMs: nowMs });
  return after;
}

const versions = fc.dictionary(fc.constantFrom(...NAMES), fc.integer({ min: 0, max: 2 }), {
  noNullPrototype: true,
});
const step = fc.oneof(
  fc.record({ kind: fc.constant("look" as const), versions }),
  fc.record({ kind: fc.constant("page" as const), versions }),
  fc.record({ kind: fc.constant("approve" as const), name: fc.constantFrom(...NAMES) }),
);

describe("what a look adds", () => {
  it("keeps to one rule in every history: approved is what the first look or a person saw, and is seen now", () => {
    fc.assert(
      fc.property(versions, fc.array(step, { maxLength: 30 }), (first, steps) => {
        let known: ReadonlyMap<string, Pin> = applied(
          new Map(),
          comparePins(new Map(), { tools: listOf(first), complete: true, first: true }, 0),
          0,
        );
        const approved = new Map(Object.entries(first));
        const present = new Map(Object.entries(first));
        for (const [at, each] of steps.entries()) {
          const nowMs = at + 1;
          if (each.kind === "approve") {
            const pin = known.get(each.name);
            if (pin === undefined) continue;
            known = new Map(known).set(each.name, { ...pin, approvedHash: pin.presentHash });
            approved.set(each.name, present.get(each.name)!);
            continue;
          }
          const look = { tools: listOf(each.versions), complete: each.kind === "look", first: false };
          const changes = comparePins(known, look, 0);
          known = applied(known, changes, nowMs);
          for (const [name, version] of Object.entries(each.versions)) present.set(name, version);
          expect(isNothing(comparePins(known, look, 0))).toBe(true);
          expect(changes.pinned).toEqual([]);
        }
        for (const name of NAMES) {
          const isApproved = approved.has(name) && approved.get(name) === present.get(name);
          expect(stateOf(known.get(name))).toBe(isApproved ? "approved" : "changed");
        }
      }),
      { seed: 5, numRuns: 500 },
    );
  });

  it("says what was restored, came back, is gone, and is forgotten", () => {
    const [a1, b1] = listOf({ a: 1, b: 1 });
    const known = new Map<string, Pin>([
      ["a", { approvedHash: a1!.hash, presentHash: "other", goneAtMs: null }],
      ["b", { approvedHash: b1!.hash, presentHash: b1!.hash, goneAtMs: 5 }],
      ["c", { approvedHash: "c", presentHash: "c", goneAtMs: null }],
      ["d", { approvedHash: null, presentHash: "d", goneAtMs: 5 }],
      ["e", { approvedHash: "e", presentHash: "e", goneAtMs: 5 }],
    ]);
    const look = { tools: [a1!, b1!], complete: true, first: false };
    expect(comparePins(known, look, 6)).toEqual({
      ...{ pinned: [], changed: [], restored: [a1], back: ["b"], gone: ["c"], forgotten: ["d"] },
    });
    expect(comparePins(known, look, 5).forgotten).toEqual([]);
    expect(comparePins(known, { ...look, complete: false }, 6)).toMatchObject({ gone: [], forgotten: [] });
  });
});
