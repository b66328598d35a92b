import { ruleErrors } from "../errors.ts";
import { limits } from "../limits.ts";

/** Counts what evaluating costs; the same condition and values always cost the same. */
export interface Budget {
  /** Throws RULE_CONDITION_FAILED with `details.exhausted` when the steps are used up. */
  charge(steps: number): void;
  /** Begins the next row, which has its own bound within the whole. */
  nextRow(): void;
  /** Steps taken since the last call. */
  taken(): number;
}

/** A budget for one firing or preview. */
export function createBudget(total: number = limits.steps, perRow: number = limits.stepsPerRow): Budget {
  let left = total;
  let leftOfRow = perRow;
  let since = 0;
  return {
    charge(steps) {
      left -= steps;
      leftOfRow -= steps;
      since += steps;
      if (left >= 0 && leftOfRow >= 0) return;
      throw ruleErrors.RULE_CONDITION_FAILED({
        message:
          left < 0
            ? "The condition takes too many steps over all rows."
            : "The condition takes too many steps.",
        remediation: "Make it simpler, or narrow the rows with from, type and status.",
        details: { exhausted: left < 0 ? "firing" : "row" },
      });
    },
    nextRow() {
      leftOfRow = perRow;
    },
    taken() {
      const steps = since;
      since = 0;
      return steps;
    },
  };
}

/** What holding a value in the hand costs, beyond the operator that gave it. */
export function sizeOf(value: unknown): number {
  if (Array.isArray(value)) return value.length;
  return typeof value === "string" ? value.length >> 10 : 0;
}
