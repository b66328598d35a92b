import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type PlanInput, planFiring, skipReason } from "./plan.ts";
import type { Binding } from "./types.ts";

const binding = (n: number): Binding => ({ key: `ent_${n}`, shown: { n }, variables: { n } });
const input = (over: Partial<PlanInput> & { count?: number } = {}): PlanInput => ({
  template: { title: "row {{n}}", n: "{{n}}" },
  maxPerDay: null,
  proposedToday: 0,
  findings: { bindings: Array.from({ length: over.count ?? 3 }, (_, n) => binding(n)), note: null },
  ...over,
});

describe("planFiring", () => {
  it("proposes once per binding, in order", () => {
    expect(planFiring(input({ count: 2 }))).toEqual({
      status: "fired",
      bindingCount: 2,
      proposals: [
        { key: "ent_0", payload: { title: "row 0", n: 0 } },
        { key: "ent_1", payload: { title: "row 1", n: 1 } },
      ],
      reason: null,
    });
  });

  it("never goes over the day's cap, and always says so when it leaves something out", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 20 }),
        fc.option(fc.integer({ min: 1, max: 20 }), { nil: null }),
        fc.integer({ min: 0, max: 40 }),
        (count, maxPerDay, proposedToday) => {
          const plan = planFiring(input({ count, maxPerDay, proposedToday }));
          const room = maxPerDay === null ? count : Math.max(0, maxPerDay - proposedToday);
          expect(plan.proposals).toHaveLength(Math.min(count, room));
          expect(plan.proposals.map(({ key }) => key)).toEqual(
            Array.from({ length: plan.proposals.length }, (_, n) => `ent_${n}`),
          );
          const status = count === 0 ? "skipped" : room < count ? "capped" : "fired";
          expect(plan.status).toBe(status);
          if (status === "capped") expect(plan.reason).toContain(`${plan.proposals.length} of ${count}`);
          expect(skipReason(plan) === null).toBe(plan.proposals.length > 0);
        },
      ),
    );
  });

  it("proposes nothing when one of the payloads can't be made, even beyond the cap", () => {
    const bindings = [binding(0), { ...binding(1), variables: {} }];
    for (const maxPerDay of [null, 1]) {
      expect(() => planFiring(input({ findings: { bindings, note: null }, maxPerDay }))).toThrow(
        expect.objectContaining({ code: "RULE_VARIABLE_MISSING" }),
      );
    }
  });
});
