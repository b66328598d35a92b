import type { Problem } from "./types.ts";

/** What can be wrong with a JSON text; the codes are stable. */
export type JsonProblemCode =
  | "too_large"
  | "too_deep"
  | "byte_order_mark"
  | "not_json"
  | "duplicate_key"
  | "inexact_number"
  | "lone_surrogate";

export interface JsonProblem extends Problem {
  readonly code: JsonProblemCode;
}

/** A JSON text that two readers could understand differently, or that is none. Nothing of its values is in the message. */
export class JsonRefusal extends Error {
  readonly code: JsonProblemCode;
  /** JSON pointer to the place; "" is the whole. */
  readonly pointer: string;
  constructor(problem: JsonProblem) {
    super(problem.message);
    this.name = "JsonRefusal";
    this.code = problem.code;
    this.pointer = problem.pointer;
  }
}

/** A document that is no policy; `problems` has at least one, and all that were found. */
export class PolicyInvalid extends Error {
  readonly code = "policy_invalid";
  readonly problems: readonly Problem[];
  constructor(problems: readonly Problem[]) {
    const [first] = problems;
    const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : "";
    super(`Not a valid policy: ${first?.pointer || "the document"}: ${first?.message}${more}`);
    this.name = "PolicyInvalid";
    this.problems = problems;
  }
}
