import type { JsonObject } from "../ledger/service.ts";

export const RECORD_KINDS = [
  "entity",
  "decision",
  "commitment",
  "learning",
  "source_artifact",
  "link",
] as const;
export type RecordKind = (typeof RECORD_KINDS)[number];

/** One thing the organisation knows. Principles are decisions whose subtype is `principle`. */
export interface MemoryRecord {
  /** `ent_`, `dec_`, `com_`, `lrn_`, `art_` or `lnk_` and a ULID. */
  readonly id: string;
  readonly kind: RecordKind;
  readonly subtype: string | null;
  readonly title: string;
  readonly body: string;
  readonly status: string;
  /** Every field, as the capability that writes the kind defines it. */
  readonly data: JsonObject;
  readonly source_app_id: string | null;
  /** The action that made this version. */
  readonly action_id: string;
  readonly created_by_action: string;
  readonly version: number;
  /** ISO 8601, UTC. */
  readonly created_at: string;
  readonly updated_at: string;
}

/** What one action did to one record. */
export interface MemoryChange {
  readonly id: string;
  readonly kind: RecordKind;
  /** Null: it was made. */
  readonly before: MemoryRecord | null;
  /** Null: it was deleted. */
  readonly after: MemoryRecord | null;
}

/** One action's work on the memory, inside the action's transaction. */
export interface MemoryWork {
  readonly organizationId: string;
  readonly actionId: string;
  readonly sourceAppId: string | null;
  readonly nowMs: number;
}

export interface MemoryOutcome {
  /** What the capability answers, e.g. `{entity_id, was_insert}`. */
  readonly result: JsonObject;
  readonly changes: readonly MemoryChange[];
}

/** What a reader may see. Null sees everything of the organisation; a linked app sees what its link lets it see. */
export interface ReadScope {
  /** The linked app. */
  readonly appId: string;
  /** Absent: every kind. */
  readonly kinds?: readonly RecordKind[];
  /** Entities of these types only. Absent: every type. */
  readonly entityTypes?: readonly string[];
  /** Only what this app wrote. */
  readonly ownOnly?: boolean;
}

/** Whose memory is read, and how much of it is shown. */
export interface MemoryReader {
  readonly organizationId: string;
  readonly scope: ReadScope | null;
}

/** A principle in force, as the verdict needs it. */
export interface Principle {
  /** `dec_…` */
  readonly id: string;
  readonly title: string;
  readonly rationale: string | null;
  /** `{capability?, …payload field: value or list of values}`; empty applies to everything. */
  readonly appliesTo: JsonObject;
  /** `{type, params, effect?}` */
  readonly constraint: JsonObject;
}
