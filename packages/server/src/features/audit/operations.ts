import { z } from "zod";
import { type AnyOperation, appOperation } from "../../kernel/operation.ts";
import { limits } from "./limits.ts";
import type { AuditService } from "./service.ts";

const instant = z.iso.datetime({ offset: true, local: true }).or(z.iso.date());

/** `audit.query`: what happened in an app. */
export function auditOperations(service: AuditService): AnyOperation[] {
  return [
    appOperation({
      name: "audit.query",
      title: "Query audit logs",
      summary:
        "Reads an app's audit log, newest first: who changed what, through which door, and whether it succeeded.",
      input: z.object({
        app_id: z.string().describe("The app"),
        category: z.enum(["auth", "admin", "function"]).optional().describe("Area of the event"),
        event_type: z.string().optional().describe("Operation name, e.g. schema.apply"),
        action: z.enum(["create", "update", "delete", "invoke", "enable", "disable"]).optional(),
        resource_type: z.string().optional().describe("Kind of thing, e.g. rls_policy"),
        resource_id: z.string().optional(),
        actor_id: z.string().optional().describe("Key id or user id of the caller"),
        user_id: z.string().optional().describe("Same as actor_id"),
        from: instant.optional().describe("Not before this ISO time"),
        to: instant.optional().describe("Not after this ISO time"),
        limit: z.coerce.number().int().min(1).max(limits.pageRows).default(100),
        offset: z.coerce.number().int().min(0).default(0),
      }),
      output: z.object({
        logs: z.array(z.looseObject({ id: z.string(), event_type: z.string(), success: z.boolean() })),
        total: z.number(),
        limit: z.number(),
        offset: z.number(),
        nextOffset: z.number().nullable(),
      }),
      right: "view",
      risk: "read",
      idempotent: true,
      http: { method: "GET", path: "/v1/:app_id/audit-logs" },
      mcp: { tool: "query_audit_logs" },
      async run({ app }, { limit, offset, user_id, ...filter }) {
        const narrowed = { ...filter, actor_id: filter.actor_id ?? user_id };
        const { logs, total } = await service.list(app.id, narrowed, limit, offset);
        const next = offset + logs.length;
        return { logs: logs.map(asJson), total, limit, offset, nextOffset: next < total ? next : null };
      },
    }),
  ];
}

/** The row as its JSON form: times as ISO text. */
function asJson(row: Record<string, unknown>): { id: string; event_type: string; success: boolean } {
  return JSON.parse(JSON.stringify(row));
}
