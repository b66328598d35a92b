import type { JsonObject } from "../ledger/service.ts";
import type { Principle } from "../memory/service.ts";
import { CAPABILITIES } from "./capabilities.ts";
import { type Applicability, applies, type Problem, readAppliesTo } from "./constraints/applies-to.ts";
import { type Aggregate, evaluate, NOTHING_YET } from "./constraints/evaluate.ts";
import { type Constraint, type Effect, readConstraint } from "./constraints/read.ts";
import { windowAt } from "./constraints/windows.ts";
import type { JudgedConflict } from "./verdict.ts";

const NAMES: ReadonlySet<string> = new Set(CAPABILITIES.keys());

/** Everything wrong with what a principle says; none: it can be recorded. Pure. */
export function principleProblems(principle: {
  readonly appliesTo?: JsonObject | undefined;
  readonly constraint?: JsonObject | undefined;
}): Problem[] {
  const constraint = principle.constraint === undefined ? null : readConstraint(principle.constraint);
  return [
    ...(principle.appliesTo === undefined ? [] : readAppliesTo(principle.appliesTo, NAMES).problems),
    ...(constraint !== null && "problems" in constraint ? constraint.problems : []),
  ];
}

/** A principle that is about the proposal at hand. */
export interface Relevant {
  readonly principle: Principle;
  readonly about: Applicability;
  /** Null: it can't be computed (any more), which is a conflict. */
  readonly constraint: { readonly read: Constraint; readonly effect: Effect } | null;
}

/** The principles that are about this proposal. One without a constraint is a text for people, and gates nothing. Pure. */
export function relevantPrinciples(
  principles: readonly Principle[],
  capability: string,
  payload: JsonObject,
): Relevant[] {
  return principles.flatMap((principle): Relevant[] => {
    if (Object.keys(principle.constraint).length === 0) return [];
    const { read: about, problems } = readAppliesTo(principle.appliesTo, NAMES);
    // A scope that can't be read is taken as wide as it could be meant.
    if (problems.length === 0 && !applies(about, capability, payload)) return [];
    const constraint = readConstraint(principle.constraint);
    return [
      { principle, about, constraint: problems.length > 0 || "problems" in constraint ? null : constraint },
    ];
  });
}

/** What has to be added up before a principle can be judged, in its calendar window. */
export interface AggregateQuestion {
  readonly principleId: string;
  readonly about: Applicability;
  readonly fromMs: number;
  readonly untilMs: number;
  /** Null: only counting. */
  readonly amount: Pick<
    Extract<Constraint, { type: "max_amount_per_window" }>,
    "field" | "unit" | "unitField"
  > | null;
}

/** What the principles need to know of what was executed already. Pure. */
export function aggregateQuestions(relevant: readonly Relevant[], nowMs: number): AggregateQuestion[] {
  return relevant.flatMap(({ principle, about, constraint }): AggregateQuestion[] => {
    const read = constraint?.read;
    if (read?.type !== "max_per_window" && read?.type !== "max_amount_per_window") return [];
    const amount = read.type === "max_amount_per_window" ? read : null;
    return [{ principleId: principle.id, about, ...windowAt(read.window, nowMs), amount }];
  });
}

/** The principles that stand against the proposal, each with its reason. Pure. */
export function conflictsOf(
  relevant: readonly Relevant[],
  payload: JsonObject,
  aggregates: ReadonlyMap<string, Aggregate>,
  nowMs: number,
): JudgedConflict[] {
  return relevant.flatMap(({ principle, constraint }): JudgedConflict[] => {
    const { id: principle_id, title } = principle;
    if (constraint === null) {
      const reason = "it can't be computed; amend or retire it.";
      return [{ principle_id, title, reason, effect: "require_approval" }];
    }
    const reason = evaluate(constraint.read, payload, aggregates.get(principle_id) ?? NOTHING_YET, nowMs);
    return reason === null ? [] : [{ principle_id, title, reason, effect: constraint.effect }];
  });
}

/** What keeps a `constraint_spec` from being computed, for people to read; null when nothing does. Pure. */
export function checkConstraint(constraint: JsonObject): string | null {
  const problems = principleProblems({ constraint });
  return problems.length === 0 ? null : problems.map(({ path, message }) => `${path}: ${message}`).join("; ");
}
