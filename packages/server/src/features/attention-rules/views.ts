import { z } from "zod";
import type { FiringRow } from "./firing-store.ts";
import type { RuleRow } from "./rule-store.ts";
import { CONDITION_MODES, FIRING_STATUSES } from "./types.ts";

const time = z.string().describe("ISO 8601");

/** A rule as callers see it. */
export const ruleShape = z.object({
  id: z.string(),
  name: z.string(),
  description: z.string().nullable(),
  enabled: z.boolean(),
  trigger_cron: z.string(),
  condition_mode: z.enum(CONDITION_MODES),
  condition: z.unknown(),
  action_capability: z.string(),
  action_payload_template: z.record(z.string(), z.unknown()),
  max_fires_per_day: z.number().int().nullable(),
  next_fire_at: time.nullable().describe("When its time comes next; null while it is off"),
  last_fired_at: time.nullable(),
  created_by: z.string().describe("Account of the member who made it"),
  updated_by: z.string().describe("Account of the member who answers for what it proposes"),
  created_at: time,
  updated_at: time,
});

export const ruleView = (row: RuleRow): z.infer<typeof ruleShape> => ({
  id: row.id,
  name: row.name,
  description: row.description,
  enabled: row.enabled,
  trigger_cron: row.trigger_cron,
  condition_mode: row.condition_mode,
  condition: row.condition,
  action_capability: row.action_capability,
  action_payload_template: row.action_payload_template,
  max_fires_per_day: row.max_fires_per_day,
  next_fire_at: row.next_fire_at?.toISOString() ?? null,
  last_fired_at: row.last_fired_at?.toISOString() ?? null,
  created_by: row.created_by,
  updated_by: row.updated_by,
  created_at: row.created_at.toISOString(),
  updated_at: row.updated_at.toISOString(),
});

/** A firing as callers see it. */
export const firingShape = z.object({
  id: z.string(),
  rule_id: z.string(),
  status: z.enum(FIRING_STATUSES),
  binding_count: z.number().int(),
  action_ids: z.array(z.string()),
  reason: z.string().nullable(),
  missed: z.number().int().describe("Times before this one that passed without a firing"),
  scheduled_at: time,
  fired_at: time,
});

export const firingView = (row: FiringRow): z.infer<typeof firingShape> => ({
  id: row.id,
  rule_id: row.rule_id,
  status: row.status,
  binding_count: row.binding_count,
  action_ids: row.action_ids,
  reason: row.reason,
  missed: row.missed,
  scheduled_at: row.scheduled_at.toISOString(),
  fired_at: row.fired_at.toISOString(),
});

/** A preview as callers see it. */
export const previewShape = z.object({
  bindings_count: z.number().int(),
  sample_proposals: z.array(
    z.object({
      binding: z.record(z.string(), z.unknown()),
      rendered_payload: z.record(z.string(), z.unknown()),
      would_require_approval: z.boolean(),
      verdict: z.looseObject({ result: z.string(), reason: z.string() }).nullable(),
      problem: z.object({ code: z.string(), message: z.string() }).nullable(),
    }),
  ),
  skip_reason: z.string().nullable().describe("Why nothing would be proposed"),
  note: z.string().nullable().describe("What else a firing would say"),
});
