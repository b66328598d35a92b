import { z } from "zod";
import { type OutboxRow, STATES } from "./store.ts";
import type { TargetRow } from "./target-store.ts";

const time = z.string().describe("ISO 8601");

/** A delivery as callers see it; its body is not shown. */
export const deliveryShape = z.object({
  id: z.string(),
  state: z.enum(STATES),
  target: z.string().describe("The URL it goes to, or went to last"),
  attempts: z.number().int(),
  capability: z.string(),
  action_id: z.string().describe("The action or approval it is about"),
  source_app_id: z.string().nullable(),
  delivery_id: z.string().describe("X-Butterbase-Delivery, the same on every try"),
  next_attempt_at: time.nullable(),
  last_status: z.number().int().nullable(),
  last_error: z.string().nullable(),
  created_at: time,
  updated_at: time,
  delivered_at: time.nullable(),
});

export const deliveryView = (row: OutboxRow): z.infer<typeof deliveryShape> => ({
  id: row.id,
  state: row.state,
  target: row.target_url,
  attempts: row.attempts,
  capability: row.capability,
  action_id: row.subject,
  source_app_id: row.source_app_id,
  delivery_id: row.delivery_id,
  next_attempt_at: row.next_attempt_at?.toISOString() ?? null,
  last_status: row.last_status,
  last_error: row.last_error,
  created_at: row.created_at.toISOString(),
  updated_at: row.updated_at.toISOString(),
  delivered_at: row.delivered_at?.toISOString() ?? null,
});

/** A target as callers see it; its secret is never shown. */
export const targetShape = z.object({
  capability: z.string(),
  webhook_url: z.string(),
  source_app_id: z.string().nullable(),
  created_at: time,
  updated_at: time,
});

export const targetView = (row: TargetRow): z.infer<typeof targetShape> => ({
  capability: row.capability,
  webhook_url: row.webhook_url,
  source_app_id: row.source_app_id,
  created_at: row.created_at.toISOString(),
  updated_at: row.updated_at.toISOString(),
});
