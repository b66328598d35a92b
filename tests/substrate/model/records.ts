import { changeEntity, deleteEntity, mergeEntities, upsertEntity } from "./entities.ts";
import type { Data, Draft, Kind } from "./memory.ts";
import { Refusal } from "./memory.ts";
import { identitiesOf, knownBy, leadsTo, reference, target } from "./ties.ts";

const ARTIFACT: readonly Kind[] = ["source_artifact"];
const LINKABLE: readonly Kind[] = ["entity", "decision", "commitment", "learning", "source_artifact"];

const optional = (draft: Draft, id: string | undefined, kinds: readonly Kind[]): string | null =>
  id === undefined ? null : reference(draft, id, kinds);

const decision = (given: Data): Data => ({
  ...{ status: "active", rationale: null, salience: "normal", source_artifact_id: null },
  ...{ supersedes: null, superseded_by: null },
  ...given,
});

function recordDecision(draft: Draft, payload: Data): Data {
  const source_artifact_id = optional(draft, payload.source_artifact_id, ARTIFACT);
  return { decision_id: draft.create("decision", decision({ ...payload, source_artifact_id })) };
}

function recordCommitment(draft: Draft, payload: Data): Data {
  const { description, status, amount = null, unit = null, due_at = null, attrs = {} } = payload;
  const from_entity = optional(draft, payload.from_entity, ["entity"]);
  const to_entity = optional(draft, payload.to_entity, ["entity"]);
  const source_artifact_id = optional(draft, payload.source_artifact_id, ARTIFACT);
  const data = {
    description,
    status,
    from_entity,
    to_entity,
    amount,
    unit,
    due_at,
    source_artifact_id,
    attrs,
  };
  return { commitment_id: draft.create("commitment", data) };
}

function recordLearning(draft: Draft, payload: Data): Data {
  const { title, description, resolution_taken = null } = payload;
  const related_decision_id = optional(draft, payload.related_decision_id, ["decision"]);
  const source_artifact_id = optional(draft, payload.source_artifact_id, ARTIFACT);
  const data = { title, description, resolution_taken, related_decision_id, source_artifact_id };
  return { learning_id: draft.create("learning", data) };
}

function upsertArtifact(draft: Draft, { id, attrs, links, ...fields }: Data): Data {
  const given: Data = { ...fields };
  if (links !== undefined) {
    const entity_ids = links.entity_ids.map((each: string) => reference(draft, each, ["entity"]));
    given.links = { ...links, entity_ids: [...new Set(entity_ids)] };
  }
  const none = {
    ...{ external_system: null, external_id: null, summary: null, content: null, storage_object_id: null },
    ...{ url: null, links: { entity_ids: [], project_tags: [] }, attrs: {} },
  };
  const keyed = { ...none, ...given };
  const found = new Set(knownBy(draft, identitiesOf({ kind: "source_artifact", data: keyed })));
  if (id !== undefined) found.add(target(draft, id, "source_artifact"));
  if (found.size > 1) throw new Refusal("ARTIFACT_AMBIGUOUS");
  const [existing] = found;
  if (existing === undefined) {
    const made = draft.create("source_artifact", { ...keyed, attrs: { ...attrs } });
    return { artifact_id: made, was_insert: true, before: null };
  }
  const before = draft.get(existing)!.data;
  const { content: _, ...shown } = before;
  const updated_at = new Date(draft.updatedAt(existing)).toISOString();
  draft.change(existing, { ...before, ...given, attrs: { ...before.attrs, ...attrs } });
  return { artifact_id: existing, was_insert: false, before: { id: existing, ...shown, updated_at } };
}

function ends(draft: Draft, payload: Data): { from_id: string; to_id: string; relation: string } {
  const from_id = reference(draft, payload.from_id, LINKABLE);
  return { from_id, to_id: reference(draft, payload.to_id, LINKABLE), relation: payload.relation };
}

const linkBetween = (draft: Draft, data: Data): string | undefined =>
  knownBy(draft, identitiesOf({ kind: "link", data }))[0];

function linkRecords(draft: Draft, payload: Data): Data {
  const joined = ends(draft, payload);
  if (joined.from_id === joined.to_id) throw new Refusal("VALIDATION_INVALID_SCHEMA");
  const existing = linkBetween(draft, joined);
  if (existing === undefined) {
    return { link_id: draft.create("link", { ...joined, attrs: payload.attrs ?? {} }), was_insert: true };
  }
  const { data } = draft.get(existing)!;
  draft.change(existing, { ...data, attrs: { ...data.attrs, ...payload.attrs } });
  return { link_id: existing, was_insert: false };
}

function unlinkRecords(draft: Draft, payload: Data): Data {
  const id = payload.link_id ?? linkBetween(draft, ends(draft, payload));
  if (id === undefined || draft.get(id)?.kind !== "link") throw new Refusal("RESOURCE_NOT_FOUND");
  draft.remove(id);
  return { link_id: id, removed: true };
}

function supersedeDecision(draft: Draft, payload: Data): Data {
  const old = reference(draft, payload.old_decision_id, ["decision"]);
  const { data } = draft.get(old)!;
  if (data.status !== "active") throw new Refusal("DECISION_NOT_ACTIVE");
  if (data.constraint_spec !== undefined) throw new Refusal("DECISION_IS_PRINCIPLE");
  const id = draft.create(
    "decision",
    decision({
      ...{ title: payload.new_title, kind: payload.kind, rationale: payload.new_rationale ?? null },
      ...{ salience: data.salience, supersedes: old },
    }),
  );
  draft.change(old, { ...data, status: "superseded", superseded_by: id });
  return { decision_id: id, superseded_decision_id: old };
}

function recordPrinciple(draft: Draft, payload: Data): Data {
  const id = draft.create("decision", decision({ ...payload, kind: "principle" }));
  return { decision_id: id, principle_id: id };
}

function principleInForce(draft: Draft, id: string): { id: string; data: Data } {
  const found = target(draft, id, "decision");
  const { data } = draft.get(found)!;
  if (data.kind !== "principle") throw new Refusal("RESOURCE_NOT_FOUND");
  if (data.status !== "active") throw new Refusal("DECISION_NOT_ACTIVE");
  return { id: found, data };
}

function amendPrinciple(draft: Draft, { principle_id, ...changes }: Data): Data {
  const { id, data } = principleInForce(draft, principle_id);
  draft.change(id, { ...data, ...changes });
  const updated_at = new Date(draft.updatedAt(id)).toISOString();
  return { decision_id: id, principle_id: id, updated_at };
}

function retirePrinciple(draft: Draft, { principle_id, reason }: Data): Data {
  const { id, data } = principleInForce(draft, principle_id);
  draft.change(id, { ...data, status: "retired", retired_reason: reason });
  return { decision_id: id, principle_id: id, status: "retired" };
}

/** What each capability does to the memory, and what it answers. */
export const CAPABILITIES: Readonly<Record<string, (draft: Draft, payload: Data) => Data>> = {
  upsert_entity: upsertEntity,
  update_entity: changeEntity,
  patch_entity: changeEntity,
  delete_entity: deleteEntity,
  merge_entities: mergeEntities,
  record_decision: recordDecision,
  record_commitment: recordCommitment,
  record_learning: recordLearning,
  upsert_source_artifact: upsertArtifact,
  link_records: linkRecords,
  unlink_records: unlinkRecords,
  supersede_decision: supersedeDecision,
  record_principle: recordPrinciple,
  amend_principle: amendPrinciple,
  retire_principle: retirePrinciple,
};

export { leadsTo };
