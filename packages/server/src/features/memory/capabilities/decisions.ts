import { z } from "zod";
import { memoryErrors } from "../errors.ts";
import { type DecisionData, REFERENCE_FIELDS, withReferences } from "../write/data.ts";
import { holdTarget, resolveReferences } from "../write/resolve.ts";
import { capability } from "./capability.ts";
import { id, longText, title } from "./payload.ts";
import { wantedBy } from "./references.ts";

export const DECISION_KINDS = [
  "operational",
  "strategic",
  "mission",
  "vision",
  "principle",
  "policy_decision",
] as const;
export const salience = z.enum(["ambient", "normal", "archival"]);

/** A decision in force, with what it was given. Pure. */
export function newDecision(
  given: Partial<DecisionData> & Pick<DecisionData, "title" | "kind">,
): DecisionData {
  return {
    status: "active",
    rationale: null,
    salience: "normal",
    source_artifact_id: null,
    supersedes: null,
    superseded_by: null,
    ...given,
  };
}

const recordDecision = capability({
  name: "record_decision",
  summary: "Records a decision and why it was taken.",
  payload: z.strictObject({
    title,
    kind: z.enum(DECISION_KINDS),
    rationale: longText.optional(),
    salience: salience.default("normal"),
    source_artifact_id: id.optional(),
  }),
  nullIsAbsent: true,
  async run({ tx, work, begin }, payload) {
    const fields = REFERENCE_FIELDS.decision;
    const idOf = await resolveReferences(tx, work, wantedBy(fields, payload));
    const unit = begin();
    const decision = unit.create("decision", withReferences(fields, newDecision(payload), idOf));
    await unit.write();
    return unit.outcome({ decision_id: decision.id });
  },
});

const supersedeDecision = capability({
  name: "supersede_decision",
  summary: "Takes a new decision in the place of an old one.",
  payload: z.strictObject({
    old_decision_id: id,
    new_title: title,
    kind: z.enum(DECISION_KINDS),
    new_rationale: longText.optional(),
  }),
  nullIsAbsent: true,
  async run({ tx, work, begin }, payload) {
    const field = { field: "old_decision_id", kinds: ["decision"] } as const;
    await resolveReferences(tx, work, wantedBy([field], payload));
    const old = await holdTarget(tx, work, { kind: "decision", id: payload.old_decision_id, hold: "change" });
    const data = old.data as DecisionData;
    refuseUnlessActive(old.id, data);
    if (data.constraint_spec !== undefined) throw memoryErrors.DECISION_IS_PRINCIPLE();
    const unit = begin();
    const decision = unit.create(
      "decision",
      newDecision({
        title: payload.new_title,
        kind: payload.kind,
        rationale: payload.new_rationale ?? null,
        salience: data.salience,
        supersedes: old.id,
      }),
    );
    unit.change(old, { ...data, status: "superseded", superseded_by: decision.id });
    await unit.write();
    return unit.outcome({ decision_id: decision.id, superseded_decision_id: old.id });
  },
});

/** Throws DECISION_NOT_ACTIVE for a decision that another has replaced, or that was retired. */
export function refuseUnlessActive(decisionId: string, { status, superseded_by }: DecisionData): void {
  if (status === "active") return;
  throw memoryErrors.DECISION_NOT_ACTIVE({
    message: `${decisionId} is no longer in force: it is ${status}.`,
    details: { status, superseded_by },
  });
}

export const decisionCapabilities = [recordDecision, supersedeDecision];
