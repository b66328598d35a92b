import { z } from "zod";
import { errors } from "../../../kernel/errors.ts";
import type { DecisionData } from "../write/data.ts";
import { holdTarget } from "../write/resolve.ts";
import { type CheckConstraint, type Context, capability, type Declaration } from "./capability.ts";
import { newDecision, refuseUnlessActive, salience } from "./decisions.ts";
import { id, longText, name, object, title } from "./payload.ts";

/** The capabilities about principles; `checkConstraint` knows which constraints can be applied. */
export function principleCapabilities(checkConstraint: CheckConstraint): Declaration[] {
  const constraint = object.superRefine((spec, context) => {
    const shape = z.looseObject({ type: name, params: object.optional() }).safeParse(spec);
    for (const { path, message } of shape.error?.issues ?? [])
      context.addIssue({ code: "custom", path, message });
    const problem = shape.success ? checkConstraint(spec) : null;
    if (problem !== null) context.addIssue({ code: "custom", message: problem });
  });
  return [recordPrinciple(constraint), amendPrinciple(constraint), retirePrinciple];
}

const recordPrinciple = (constraint: typeof object) =>
  capability({
    name: "record_principle",
    summary: "Records a principle that constrains what may be done without asking.",
    payload: z.strictObject({
      title,
      applies_to: object,
      constraint_spec: constraint,
      rationale: longText.optional(),
      salience: salience.default("ambient"),
    }),
    nullIsAbsent: true,
    async run({ begin }, payload) {
      const unit = begin();
      const { id: principle } = unit.create("decision", newDecision({ ...payload, kind: "principle" }));
      await unit.write();
      return unit.outcome({ decision_id: principle, principle_id: principle });
    },
  });

const CHANGES = ["title", "applies_to", "constraint_spec", "rationale", "salience"] as const;

const amendPrinciple = (constraint: typeof object) =>
  capability({
    name: "amend_principle",
    summary: "Changes a principle in force.",
    payload: z
      .strictObject({
        principle_id: id,
        title: title.optional(),
        applies_to: object.optional(),
        constraint_spec: constraint.optional(),
        rationale: longText.optional(),
        salience: salience.optional(),
      })
      .refine((payload) => CHANGES.some((field) => payload[field] !== undefined), {
        message: `needs at least one of ${CHANGES.join(", ")}`,
      }),
    nullIsAbsent: true,
    async run(context, { principle_id, ...changes }) {
      const principle = await principleInForce(context, principle_id);
      const unit = context.begin();
      const after = unit.change(principle, { ...(principle.data as DecisionData), ...changes });
      await unit.write();
      const { id: changed, updated_at } = after;
      return unit.outcome({ decision_id: changed, principle_id: changed, updated_at });
    },
  });

const retirePrinciple = capability({
  name: "retire_principle",
  summary: "Ends a principle; it stays in the memory as retired.",
  payload: z.strictObject({ principle_id: id, reason: longText }),
  nullIsAbsent: true,
  async run(context, { principle_id, reason }) {
    const principle = await principleInForce(context, principle_id);
    const unit = context.begin();
    const data = principle.data as DecisionData;
    unit.change(principle, { ...data, status: "retired", retired_reason: reason });
    await unit.write();
    return unit.outcome({ decision_id: principle.id, principle_id: principle.id, status: "retired" });
  },
});

async function principleInForce({ tx, work }: Context, principleId: string) {
  const record = await holdTarget(tx, work, { kind: "decision", id: principleId, hold: "change" });
  const data = record.data as DecisionData;
  if (data.kind !== "principle") {
    throw errors.RESOURCE_NOT_FOUND({
      message: `${principleId} is a decision, but not a principle.`,
      remediation: "List the principles: manage_substrate action list_principles.",
    });
  }
  refuseUnlessActive(record.id, data);
  return record;
}
