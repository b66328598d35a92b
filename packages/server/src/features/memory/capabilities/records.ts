import { z } from "zod";
import { REFERENCE_FIELDS, withReferences } from "../write/data.ts";
import { resolveReferences } from "../write/resolve.ts";
import { capability } from "./capability.ts";
import { id, instant, longText, name, object, title } from "./payload.ts";
import { wantedBy } from "./references.ts";

const recordCommitment = capability({
  name: "record_commitment",
  summary: "Records something that is owed, by whom and to whom.",
  payload: z.strictObject({
    description: longText,
    status: z.enum(["proposed", "tentative", "confirmed", "fulfilled", "expired", "broken"]),
    from_entity: id.optional(),
    to_entity: id.optional(),
    amount: z.number().optional(),
    unit: name.optional(),
    due_at: instant.optional(),
    source_artifact_id: id.optional(),
    attrs: object.optional(),
  }),
  nullIsAbsent: true,
  async run({ tx, work, begin }, payload) {
    const fields = REFERENCE_FIELDS.commitment;
    const idOf = await resolveReferences(tx, work, wantedBy(fields, payload));
    const data = {
      description: payload.description,
      status: payload.status,
      from_entity: payload.from_entity ?? null,
      to_entity: payload.to_entity ?? null,
      amount: payload.amount ?? null,
      unit: payload.unit ?? null,
      due_at: payload.due_at ?? null,
      source_artifact_id: payload.source_artifact_id ?? null,
      attrs: payload.attrs ?? {},
    };
    const unit = begin();
    const commitment = unit.create("commitment", withReferences(fields, data, idOf));
    await unit.write();
    return unit.outcome({ commitment_id: commitment.id });
  },
});

const recordLearning = capability({
  name: "record_learning",
  summary: "Records what an outcome has taught.",
  payload: z.strictObject({
    title,
    description: longText,
    resolution_taken: longText.optional(),
    related_decision_id: id.optional(),
    source_artifact_id: id.optional(),
  }),
  nullIsAbsent: true,
  async run({ tx, work, begin }, payload) {
    const fields = REFERENCE_FIELDS.learning;
    const idOf = await resolveReferences(tx, work, wantedBy(fields, payload));
    const data = {
      title: payload.title,
      description: payload.description,
      resolution_taken: payload.resolution_taken ?? null,
      related_decision_id: payload.related_decision_id ?? null,
      source_artifact_id: payload.source_artifact_id ?? null,
    };
    const unit = begin();
    const learning = unit.create("learning", withReferences(fields, data, idOf));
    await unit.write();
    return unit.outcome({ learning_id: learning.id });
  },
});

export const recordCapabilities = [recordCommitment, recordLearning];
