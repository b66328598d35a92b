import { z } from "zod";
import { limits } from "./limits.ts";

const time = z.string().describe("ISO 8601, UTC");

export const actionId = z.string().min(1).max(64).describe("The action, act_…");
export const capabilityName = z.string().min(1).max(64).describe("A capability, e.g. upsert_entity");
export const payload = z.record(z.string(), z.unknown()).describe("What the capability takes");

export const verdict = z.object({
  result: z.enum(["auto_approved", "auto_approved_yolo", "requires_approval", "rejected"]),
  reason: z.string(),
  conflicts: z
    .array(z.object({ principle_id: z.string(), title: z.string(), reason: z.string() }))
    .describe("Principles that stand against it"),
});

export const answer = z.object({
  action_id: z.string(),
  verdict,
  requires_approval: z.boolean().describe("Whether it waits for a person now"),
  result: z.looseObject({}).optional().describe("What executing gave"),
  replay: z.literal(true).optional().describe("The idempotency key was used before: the answer of then"),
  approval_id: z.string().optional(),
  approval_url: z.string().optional().describe("The page where a person decides"),
});

export const actionRow = z.looseObject({
  id: z.string(),
  status: z.enum(["proposed", "executed", "rejected", "failed"]),
  action_type: z.string(),
  capability: z.string(),
  payload: z.looseObject({}),
  verdict: z.looseObject({}),
  result: z.looseObject({}).nullable(),
  proposer: z.looseObject({ kind: z.enum(["human", "agent", "app", "rule"]), id: z.string() }),
  proposed_at: time,
  executed_at: time.nullable(),
});

export const previewed = z.object({
  verdict,
  changes: z.array(z.looseObject({})).describe("Each record before and after"),
  result: z.looseObject({}).nullable(),
  problem: z.object({ code: z.string(), message: z.string() }).nullable().describe("Why it would fail now"),
  plan: z.looseObject({}).optional().describe("For bulk_revert_actions: the order, and what can't be undone"),
});

export const capabilityShape = z.object({
  name: z.string(),
  title: z.string(),
  mode: z.enum(["auto", "approval", "forbidden"]),
  default_mode: z.enum(["auto", "approval", "forbidden"]),
  approvers: z.number(),
  reversible: z.boolean(),
  yolo_eligible: z.boolean(),
  side_effect: z.boolean(),
  phase: z.number(),
  set_by_owner: z.boolean(),
});

export const describedCapability = capabilityShape.extend({
  summary: z.string(),
  payload_schema: z.looseObject({}).optional().describe("JSON Schema"),
});

export const settings = z.object({
  yolo_mode: z.boolean(),
  four_eyes: z
    .boolean()
    .nullable()
    .describe("Whether members are kept from approving their own; null: as soon as two may decide"),
  capabilities: z.array(capabilityShape),
});

export const conflict = z.object({
  id: z.string(),
  action_id: z.string(),
  principle_id: z.string(),
  title: z.string(),
  reason: z.string(),
  status: z.enum(["open", "resolved"]),
  resolution: z.enum(["approve", "reject", "dismiss"]).nullable(),
  resolution_reason: z.string().nullable(),
  resolved_by: z.string().nullable(),
  created_at: time,
  resolved_at: time.nullable(),
});

export const listLimit = z.coerce
  .number()
  .int()
  .min(1)
  .max(limits.listed)
  .default(limits.listedByDefault)
  .describe("How many");
export const reason = z.string().trim().min(1).max(limits.reasonChars);
