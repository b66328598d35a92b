import { z } from "zod";
import { limits } from "./limits.ts";
import type { ShownGrant } from "./service.ts";
import type { ListedGrant } from "./store.ts";

const time = z.string().describe("ISO 8601");

export const serverRef = z.string().max(80).describe("The server's id, or ambit for the built-in server");
export const grantId = z
  .string()
  .regex(/^gra_[0-9a-z]{26}$/, "must be a grant's id: gra_ and 26 characters")
  .describe("The grant; list_grants shows the ids");
export const label = z
  .string()
  .trim()
  .min(1)
  .max(limits.labelChars)
  .describe("Who uses it, e.g. alice-laptop; one live grant of a server has it");
export const policyId = z.uuid().describe("A policy of the same server");
export const expiresAt = z.iso.datetime({ offset: true }).describe("When it ends by itself, ISO 8601");

/** The one answer that has a token. */
export const issuedShape = z.object({
  grant_id: z.string(),
  token: z.string().describe("What to send as `Authorization: Bearer`; shown this once"),
  proxy_url: z.string().describe("Where an MCP client connects with it"),
});

export const grantShape = z.object({
  grant_id: z.string(),
  server_id: z.string(),
  label: z.string(),
  policy_id: z.string().nullable().describe("null: every call is denied"),
  policy_name: z.string().nullable(),
  status: z
    .enum(["live", "expired", "revoked", "orphaned"])
    .describe("orphaned: its maker is no member any more, and it opens nothing"),
  expires_at: time.nullable(),
  last_used_at: time.nullable().describe("Up to a minute late"),
  created_at: time,
  created_by: z.string().describe("The member who answers for it"),
  rotated_at: time.nullable(),
  proxy_url: z.string(),
});

export const shownShape = grantShape.extend({
  used: z
    .array(z.object({ counter: z.string(), window_start: time, used: z.number() }))
    .describe("Its own counters in their present windows, by name and window, e.g. spend/day"),
});

const statusOf = (row: ListedGrant, nowMs: number): z.infer<typeof grantShape>["status"] => {
  if (row.revoked_at !== null) return "revoked";
  if (row.expires_at !== null && row.expires_at.getTime() <= nowMs) return "expired";
  return row.is_answered_for ? "live" : "orphaned";
};

/** Where clients of a server's grants connect. */
export const proxyUrl = (publicUrl: string, serverId: string): string => `${publicUrl}/mcp/${serverId}/`;

export const grantView = (
  row: ListedGrant,
  { nowMs, publicUrl }: { nowMs: number; publicUrl: string },
): z.infer<typeof grantShape> => ({
  grant_id: row.id,
  server_id: row.server_id,
  label: row.label,
  policy_id: row.policy_id,
  policy_name: row.policy_name,
  status: statusOf(row, nowMs),
  expires_at: row.expires_at?.toISOString() ?? null,
  last_used_at: row.last_used_at?.toISOString() ?? null,
  created_at: row.created_at.toISOString(),
  created_by: row.account_id,
  rotated_at: row.rotated_at?.toISOString() ?? null,
  proxy_url: proxyUrl(publicUrl, row.server_id),
});

export const shownView = (
  { row, used }: ShownGrant,
  at: { nowMs: number; publicUrl: string },
): z.infer<typeof shownShape> => ({
  ...grantView(row, at),
  used: used.map(({ counter, windowStart, used: amount }) => ({
    counter,
    window_start: windowStart.toISOString(),
    used: amount,
  })),
});
