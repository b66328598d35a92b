import { LogicEngine } from "json-logic-engine";
import { AmbitError } from "../../../kernel/errors.ts";
import type { Json } from "../../ledger/service.ts";
import { ruleErrors } from "../errors.ts";
import type { Variables } from "../types.ts";
import { type Budget, sizeOf } from "./budget.ts";
import { methodsOf } from "./operators.ts";

/** Says whether a checked condition holds for some values. */
export type Evaluate = (condition: Json, variables: Variables) => boolean;

/**
 * JSON-Logic within a budget, at one instant. Throws RULE_CONDITION_FAILED when the condition does not fit the values
 * (a number was needed, say) or takes too many steps. The condition must have passed `checkLogic`: what it may name, and
 * how deep it may go, is decided there.
 */
export function createEvaluate(budget: Budget, nowMs: number): Evaluate {
  const engine = new BoundedEngine(budget, nowMs);
  return (condition, variables) => {
    try {
      return holds(engine.run(condition, variables));
    } catch (error) {
      if (error instanceof AmbitError) throw error;
      throw ruleErrors.RULE_CONDITION_FAILED({ message: reasonOf(error), cause: error });
    }
  };
}

class BoundedEngine extends LogicEngine {
  readonly #budget: Budget;

  constructor(budget: Budget, nowMs: number) {
    // Interpreted, not compiled: every step goes through `run`, and no code is made of what callers wrote.
    super({}, { disableInline: true, disableInterpretedOptimization: true });
    this.methods = methodsOf(budget, nowMs);
    this.#budget = budget;
  }

  override run(logic: unknown, data?: unknown, options?: { above?: unknown }): unknown {
    this.#budget.charge(1);
    const value = super.run(logic, data, options);
    this.#budget.charge(sizeOf(value));
    return value;
  }

  override truthy(value: unknown): boolean {
    return holds(value);
  }
}

/** JsonLogic's truth: as in JavaScript, but empty lists and objects are false. */
function holds(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return Boolean(value);
  return Array.isArray(value) ? value.length > 0 : Object.keys(value).length > 0;
}

/** The engine throws whatever comes to hand: NaN, a bare object, a TypeError. */
function reasonOf(error: unknown): string {
  if (typeof error === "number") return "A number was needed.";
  if (typeof error === "object" && error !== null && "type" in error) return `${String(error.type)}.`;
  return "An operator was given values of the wrong kind.";
}
