import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { limits } from "./limits.ts";
import { HOLD_STATUSES, type HoldFacts, type HoldStatus, stateOf } from "./state.ts";

const T0 = Date.UTC(2026, 0, 1);
const DAY_MS = 24 * 3_600_000;

/** A hold as the table may have it: whatever its status needs is there. */
const holdOf = (status: HoldStatus, more: Partial<HoldFacts> = {}): HoldFacts => ({
  ...{ id: "hld_1", approvalId: "apr_1", status, expiresAtMs: T0 + DAY_MS },
  approvedUntilMs: status === "approved" ? T0 + DAY_MS : null,
  runningSinceMs: status === "running" ? T0 : null,
  runningUntilMs: status === "running" ? T0 + limits.silentMs : null,
  endedAtMs: ["pending", "approved", "running"].includes(status) ? null : T0,
  ...{ told: false, reason: null, result: null, ...more },
});
const kindAt = (hold: HoldFacts, afterMs: number) => stateOf(hold, T0 + afterMs).kind;

describe("what a hold means for the same call", () => {
  const TABLE: [status: HoldStatus, until: number, before: string, after: string][] = [
    ["pending", DAY_MS, "pending", "expired"],
    ["approved", DAY_MS, "approved", "expired"],
    ["running", limits.silentMs, "running", "unknown"],
    ["executed", 10 * 60_000, "executed", "none"],
    ["rejected", DAY_MS, "rejected", "none"],
    ["expired", 10 * 60_000, "expired", "none"],
  ];
  it.each(TABLE)("%s: for %i ms %s, from then on %s", (status, until, before, after) => {
    const hold = holdOf(status);
    expect([kindAt(hold, 0), kindAt(hold, until - 1), kindAt(hold, until)]).toEqual([before, before, after]);
  });

  it("of an unknown end is told once; one that was cancelled means nothing", () => {
    expect(kindAt(holdOf("unknown"), 9 * DAY_MS)).toBe("unknown");
    expect(kindAt(holdOf("unknown", { told: true }), 0)).toBe("none");
    expect(kindAt(holdOf("cancelled"), 0)).toBe("none");
  });

  it("says why it expired", () => {
    expect(stateOf(holdOf("expired"), T0)).toMatchObject({ reason: "nobody decided in time" });
    const approved = holdOf("expired", { approvedUntilMs: T0 });
    expect(stateOf(approved, T0)).toMatchObject({ reason: expect.stringContaining("not repeated") });
  });

  it("never goes back to running or approved as time passes", () => {
    const rank: Record<string, number> = { pending: 0, approved: 0, running: 0, executed: 0, rejected: 0 };
    const later = (kind: string) => rank[kind] ?? (kind === "none" ? 2 : 1);
    fc.assert(
      fc.property(
        fc.constantFrom(...HOLD_STATUSES),
        fc.nat(3 * DAY_MS),
        fc.nat(3 * DAY_MS),
        fc.boolean(),
        (status, a, b, told) => {
          const hold = holdOf(status, { told });
          const [first, second] = [kindAt(hold, Math.min(a, b)), kindAt(hold, Math.max(a, b))];
          expect(later(second)).toBeGreaterThanOrEqual(later(first));
        },
      ),
      { seed: 7, numRuns: 500 },
    );
  });
});
