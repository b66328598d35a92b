import type { Json, JsonObject } from "../ledger/service.ts";

export const CONDITION_MODES = ["snapshot_predicate", "row_query"] as const;
export type ConditionMode = (typeof CONDITION_MODES)[number];

/** What a rule looks at, and what it proposes. */
export interface RuleDefinition {
  readonly name: string;
  readonly description: string | null;
  /** Five fields, UTC. */
  readonly trigger_cron: string;
  readonly condition_mode: ConditionMode;
  readonly condition: Json;
  readonly action_capability: string;
  readonly action_payload_template: JsonObject;
  /** Proposals per UTC day; null for no bound. */
  readonly max_fires_per_day: number | null;
}

/** What a condition and a template can name. */
export type Variables = Readonly<Record<string, Json>>;

/** One thing a condition held for. */
export interface Binding {
  /** The same for the same thing at every firing: `snapshot`, or the row's id. */
  readonly key: string;
  /** As a preview shows it. */
  readonly shown: JsonObject;
  readonly variables: Variables;
}

/** What a condition found. */
export interface Findings {
  readonly bindings: readonly Binding[];
  /** Why there is none, or what was left out; null for nothing to say. */
  readonly note: string | null;
}

export const FIRING_STATUSES = ["running", "fired", "skipped", "failed", "capped"] as const;
export type FiringStatus = (typeof FIRING_STATUSES)[number];
