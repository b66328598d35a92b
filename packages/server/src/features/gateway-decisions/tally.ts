import { limits } from "./limits.ts";
import type { StoredDecision } from "./log.ts";
import type { Simulated } from "./simulation.ts";

/** An outcome and the rule it rests on. */
export interface Found {
  readonly outcome: string;
  readonly rule: string;
  readonly message: string | null;
}

/** Why a stored decision is not judged again. */
export const SKIPPED = ["not_calls", "errors", "continued", "without_policy", "without_values"] as const;
export type Skipped = (typeof SKIPPED)[number];

/**
 * Why a decision is none that a policy could make again: it is about no tool, says how a call failed, or goes on with a
 * call that a person had approved. Null when one could. Pure.
 */
export function skipOf({ outcome, rule, method, tool, approvalId }: StoredDecision): Skipped | null {
  if (method !== "tools/call" || tool === null || rule === "(malformed)") return "not_calls";
  if (outcome === "error") return "errors";
  if (outcome === "replay" || (outcome === "allow" && approvalId !== null)) return "continued";
  return null;
}

/** What came of judging decisions again. */
export interface Tally {
  skip(why: Skipped): void;
  add(id: string | null, before: Found | null, after: Simulated, index?: number): void;
  readonly judged: number;
  readonly skipped: Readonly<Record<Skipped, number>>;
  readonly changed: readonly { decision_id: string | null; index?: number; before: Found; after: Found }[];
  readonly undecidable: readonly string[];
  /** Everything in numbers. */
  counts(): {
    readonly judged: number;
    readonly same: number;
    readonly changed: number;
    readonly undecidable: number;
    /** How often an outcome became another, or stayed. */
    readonly outcomes: readonly { before: string | null; after: string; count: number }[];
    readonly skipped: Readonly<Record<Skipped, number>>;
  };
}

export function createTally(): Tally {
  const skipped = Object.fromEntries(SKIPPED.map((why) => [why, 0])) as Record<Skipped, number>;
  const outcomes = new Map<string, { before: string | null; after: string; count: number }>();
  const changed: Tally["changed"][number][] = [];
  const undecidable: string[] = [];
  const count = { judged: 0, same: 0, changed: 0, undecidable: 0 };
  return {
    skipped,
    changed,
    undecidable,
    get judged() {
      return count.judged;
    },
    skip(why) {
      skipped[why] += 1;
    },
    add(id, before, after, index) {
      if (after.outcome === "undecidable") {
        count.undecidable += 1;
        if (id !== null && undecidable.length < limits.told) undecidable.push(id);
        return;
      }
      count.judged += 1;
      const key = `${before?.outcome} ${after.outcome}`;
      const known = outcomes.get(key) ?? { before: before?.outcome ?? null, after: after.outcome, count: 0 };
      known.count += 1;
      outcomes.set(key, known);
      if (before === null) return;
      if (before.outcome === after.outcome) {
        count.same += 1;
        return;
      }
      count.changed += 1;
      if (changed.length < limits.told)
        changed.push({
          decision_id: id,
          ...(index === undefined ? {} : { index }),
          before,
          after: { ...after },
        });
    },
    counts: () => ({ ...count, outcomes: [...outcomes.values()], skipped }),
  };
}
