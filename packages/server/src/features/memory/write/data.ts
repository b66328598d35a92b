import type { Json, JsonObject } from "../../ledger/service.ts";
import type { RecordKind } from "../types.ts";

/**
 * What an entity's record holds. `merged_keys` are keys it took over from entities merged into it, beside its own;
 * `merged_ids` are those entities' ids, by which it can still be found.
 */
export type EntityData = {
  readonly type: string;
  readonly display_name: string;
  readonly primary_email: string | null;
  readonly canonical_keys: { readonly [name: string]: string };
  readonly merged_keys: { readonly [name: string]: readonly string[] };
  readonly merged_ids: readonly string[];
  readonly linked_app_user_id: string | null;
  readonly linked_app_id: string | null;
  readonly attrs: JsonObject;
};

/** A decision, or a principle: one that has `applies_to` and `constraint_spec`. */
export type DecisionData = {
  readonly title: string;
  readonly kind: string;
  readonly status: "active" | "superseded" | "retired";
  readonly rationale: string | null;
  readonly salience: string;
  readonly source_artifact_id: string | null;
  readonly supersedes: string | null;
  readonly superseded_by: string | null;
  readonly applies_to?: JsonObject;
  readonly constraint_spec?: JsonObject;
  readonly retired_reason?: string;
};

export type CommitmentData = {
  readonly description: string;
  readonly status: string;
  readonly from_entity: string | null;
  readonly to_entity: string | null;
  readonly amount: number | null;
  readonly unit: string | null;
  /** ISO 8601, UTC. */
  readonly due_at: string | null;
  readonly source_artifact_id: string | null;
  readonly attrs: JsonObject;
};

export type LearningData = {
  readonly title: string;
  readonly description: string;
  readonly resolution_taken: string | null;
  readonly related_decision_id: string | null;
  readonly source_artifact_id: string | null;
};

export type ArtifactData = {
  readonly kind: string;
  readonly title: string;
  readonly external_system: string | null;
  readonly external_id: string | null;
  readonly summary: string | null;
  readonly content: string | null;
  readonly storage_object_id: string | null;
  readonly url: string | null;
  readonly links: { readonly entity_ids: readonly string[]; readonly project_tags: readonly string[] };
  readonly attrs: JsonObject;
};

export type LinkData = {
  readonly from_id: string;
  readonly to_id: string;
  readonly relation: string;
  readonly attrs: JsonObject;
};

/** What the records of each kind hold. */
export interface DataOf {
  readonly entity: EntityData;
  readonly decision: DecisionData;
  readonly commitment: CommitmentData;
  readonly learning: LearningData;
  readonly source_artifact: ArtifactData;
  readonly link: LinkData;
}

/** What ids of each kind begin with. */
export const PREFIX_OF: Readonly<Record<RecordKind, string>> = {
  entity: "ent",
  decision: "dec",
  commitment: "com",
  learning: "lrn",
  source_artifact: "art",
  link: "lnk",
};

/** A field of `data` that names other records, and the kinds it may name. */
export interface ReferenceField {
  readonly field: string;
  readonly kinds: readonly RecordKind[];
}

const ARTIFACT: ReferenceField = { field: "source_artifact_id", kinds: ["source_artifact"] };

/** What a link may join: everything but links. */
const LINKABLE: readonly RecordKind[] = ["entity", "decision", "commitment", "learning", "source_artifact"];

/** Every field that names records, by the kind of record it stands in. A dot goes into an object. */
export const REFERENCE_FIELDS: Readonly<Record<RecordKind, readonly ReferenceField[]>> = {
  entity: [],
  decision: [
    ARTIFACT,
    { field: "supersedes", kinds: ["decision"] },
    { field: "superseded_by", kinds: ["decision"] },
  ],
  commitment: [
    { field: "from_entity", kinds: ["entity"] },
    { field: "to_entity", kinds: ["entity"] },
    ARTIFACT,
  ],
  learning: [{ field: "related_decision_id", kinds: ["decision"] }, ARTIFACT],
  source_artifact: [{ field: "links.entity_ids", kinds: ["entity"] }],
  link: [
    { field: "from_id", kinds: LINKABLE },
    { field: "to_id", kinds: LINKABLE },
  ],
};

/** The ids a field names: none, one, or those of a list. Pure. */
export function idsIn(data: JsonObject, field: string): readonly string[] {
  const value = field
    .split(".")
    .reduce<Json | undefined>((part, name) => (part as JsonObject | null | undefined)?.[name], data);
  if (typeof value === "string") return [value];
  return Array.isArray(value) ? value.filter((each): each is string => typeof each === "string") : [];
}

/**
 * `data` with each id it names replaced by what `idOf` gives for it; a list names none twice. The same object when
 * nothing changes. Pure.
 */
export function withReferences<D extends JsonObject>(
  fields: readonly ReferenceField[],
  data: D,
  idOf: (id: string) => string,
): D {
  const put = (part: JsonObject, [name, ...rest]: readonly string[]): JsonObject => {
    const value = part[name!];
    if (rest.length > 0) return { ...part, [name!]: put((value ?? {}) as JsonObject, rest) };
    if (typeof value === "string") return { ...part, [name!]: idOf(value) };
    return { ...part, [name!]: [...new Set((value as string[]).map(idOf))] };
  };
  let changed: JsonObject = data;
  for (const { field } of fields) {
    if (idsIn(data, field).some((id) => idOf(id) !== id)) changed = put(changed, field.split("."));
  }
  return changed as D;
}
