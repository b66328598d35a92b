import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CAPABILITIES, type Capability } from "./capabilities.ts";
import { approversOf, decideVerdict, type JudgedConflict, type VerdictFacts } from "./verdict.ts";

/** Those there are, and those there may be one day. */
const capability = fc.oneof(
  fc.constantFrom(...CAPABILITIES.values()),
  fc.record({
    ...{ name: fc.constant("some_capability"), title: fc.constant("Some"), phase: fc.constant(1 as const) },
    defaultMode: fc.constantFrom("auto", "approval"),
    ...{
      reversible: fc.boolean(),
      yoloEligible: fc.boolean(),
      sideEffect: fc.boolean(),
      governs: fc.boolean(),
    },
  }),
);
const conflict: fc.Arbitrary<JudgedConflict> = fc.record({
  principle_id: fc.constantFrom("dec_1", "dec_2"),
  title: fc.constantFrom("Budget", "Quiet"),
  reason: fc.constantFrom("too much.", "too late."),
  effect: fc.constantFrom("require_approval", "reject"),
});
const facts: fc.Arbitrary<VerdictFacts> = fc.record({
  capability,
  policy: fc.option(
    fc.record({
      mode: fc.constantFrom("auto", "approval", "forbidden"),
      approvers: fc.integer({ min: 1, max: 10 }),
    }),
  ),
  conflicts: fc.array(conflict, { maxLength: 3 }),
  proposerKind: fc.constantFrom("human", "agent", "app", "rule"),
  skip: fc.boolean(),
  undoesApproved: fc.option(fc.constant("act_1")),
  yoloMode: fc.boolean(),
});

/** The rules again, each as one line that does not lean on the order of the others. */
function naive(f: VerdictFacts): string {
  const { defaultMode, yoloEligible, sideEffect, governs } = f.capability;
  const forbidden = f.policy?.mode === "forbidden";
  const rejects = !governs && f.conflicts.some((each) => each.effect === "reject");
  if (forbidden || rejects) return "rejected";
  const clear = f.conflicts.length === 0;
  const person = f.proposerKind === "human";
  const free = f.policy === null ? defaultMode === "auto" : f.policy.mode === "auto";
  const held = !person && (sideEffect || f.undoesApproved != null);
  if (clear && free && !held) return "auto_approved";
  if (
    clear &&
    person &&
    f.policy === null &&
    defaultMode === "approval" &&
    yoloEligible &&
    (f.skip || f.yoloMode)
  )
    return "auto_approved_yolo";
  return "requires_approval";
}

const of = (name: string, more: Partial<VerdictFacts> = {}): VerdictFacts => ({
  capability: CAPABILITIES.get(name) as Capability,
  policy: null,
  conflicts: [],
  proposerKind: "agent",
  skip: false,
  yoloMode: false,
  ...more,
});

describe("decideVerdict", () => {
  it("agrees with the rules as they are written, and always gives a reason", () => {
    fc.assert(
      fc.property(facts, (f) => {
        const verdict = decideVerdict(f);
        expect(verdict.result).toBe(naive(f));
        expect(verdict.reason).toMatch(/^[A-Z"a-z_].{10,}/);
        expect(verdict.conflicts).toHaveLength(f.conflicts.length);
        for (const each of verdict.conflicts) expect(Object.keys(each)).not.toContain("effect");
      }),
      { numRuns: 3_000, seed: 4 },
    );
  });

  it("no agent, app or rule ever skips, whatever is set and asked for", () => {
    fc.assert(
      fc.property(facts, fc.constantFrom("agent", "app", "rule"), (f, proposerKind) => {
        const asked = decideVerdict({ ...f, proposerKind, skip: true, yoloMode: true });
        const plain = decideVerdict({ ...f, proposerKind, skip: false, yoloMode: false });
        expect(asked.result).not.toBe("auto_approved_yolo");
        expect(asked.result).toBe(plain.result);
      }),
      { numRuns: 2_000, seed: 5 },
    );
  });

  it("nothing with a conflict runs by itself", () => {
    fc.assert(
      fc.property(facts, conflict, (f, each) => {
        const { result } = decideVerdict({ ...f, conflicts: [...f.conflicts, each] });
        expect(["requires_approval", "rejected"]).toContain(result);
      }),
      { numRuns: 1_000, seed: 6 },
    );
  });

  it("lets the five capabilities of phase 0 run by default, for everyone", () => {
    const phase0 = [...CAPABILITIES.values()].filter(({ phase }) => phase === 0).map(({ name }) => name);
    expect(phase0.sort()).toEqual([
      "record_commitment",
      "record_decision",
      "record_learning",
      "update_entity",
      "upsert_entity",
    ]);
    for (const name of phase0)
      for (const proposerKind of ["human", "agent", "app", "rule"] as const)
        expect(decideVerdict(of(name, { proposerKind })).result).toBe("auto_approved");
  });

  it("says why skipping was of no use", () => {
    expect(decideVerdict(of("delete_entity", { skip: true })).reason).toBe(
      "delete_entity needs approval by default. Only a person may skip it.",
    );
    expect(decideVerdict(of("delete_entity", { skip: true, proposerKind: "human" })).reason).toBe(
      "delete_entity needs approval by default. It can't be skipped.",
    );
    const policy = { mode: "approval", approvers: 2 } as const;
    expect(decideVerdict(of("send_email_draft", { skip: true, proposerKind: "human", policy })).reason).toBe(
      "An owner asks for approval by 2 people of send_email_draft. It can't be skipped.",
    );
  });

  it("a principle that rejects can't keep a principle from being taken back", () => {
    const conflicts = [{ principle_id: "dec_1", title: "Nothing", reason: "no.", effect: "reject" as const }];
    expect(decideVerdict(of("record_decision", { conflicts })).result).toBe("rejected");
    expect(decideVerdict(of("retire_principle", { conflicts })).result).toBe("requires_approval");
  });

  it("a reason stays short enough to be shown, however many principles there are", () => {
    const one = { principle_id: "dec_1", title: "T".repeat(499), reason: "no.", effect: "reject" as const };
    const verdict = decideVerdict(
      of("record_decision", { conflicts: Array.from({ length: 40 }, () => one) }),
    );
    expect(verdict.reason.length).toBeLessThanOrEqual(2_000);
    expect(verdict.conflicts).toHaveLength(40);
  });

  it("asks as many people as the owner said, and at least one", () => {
    expect(approversOf(null)).toBe(1);
    expect(approversOf({ mode: "approval", approvers: 3 })).toBe(3);
  });
});
