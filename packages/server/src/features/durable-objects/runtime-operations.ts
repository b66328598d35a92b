import { z } from "zod";
import { errors } from "../../kernel/errors.ts";
import { type AnyOperation, appOperation } from "../../kernel/operation.ts";
import type { LogEntry } from "../runtime/service.ts";
import { classOf, servingClassOf } from "./context.ts";
import { limits } from "./limits.ts";
import { INSTANCES_TOOL as TOOL } from "./operations.ts";
import type { ActorParts } from "./service.ts";
import { appId, className, limitField } from "./views.ts";

const entrySchema = z.object({
  id: z.string(),
  timestamp: z.string(),
  class: z.string(),
  event: z.string().describe("fetch, alarm, websocket, rpc, process (it was lost), notice"),
  outcome: z.string(),
  request_id: z.string().nullable(),
  method: z.string().nullable(),
  path: z.string().nullable(),
  status: z.number().nullable(),
  duration_ms: z.number().nullable(),
  instance_id: z.string().nullable(),
  error: z
    .object({ name: z.string(), message: z.string(), stack: z.string().nullable() })
    .nullable()
    .describe("The stack names lines of the TypeScript"),
  logs: z.array(z.object({ level: z.string(), message: z.string(), timestamp: z.string() })),
});

export function runtimeOperations(parts: ActorParts): AnyOperation[] {
  return [logsOperation(parts), ticketOperation(parts)];
}

const logsOperation = ({ context }: ActorParts) =>
  appOperation({
    name: "durable_objects.logs",
    title: "Logs of a class",
    summary:
      "What a class logged and how its runs ended, newest first, with request ids and exceptions in lines of the TypeScript. Runs without a log line or an error are only counted.",
    input: z.object({
      app_id: appId,
      name: className,
      limit: limitField,
      since: z
        .string()
        .max(40)
        .refine((text) => !Number.isNaN(Date.parse(text)), "use a time such as 2026-01-31T12:00:00Z")
        .optional()
        .describe("ISO time; only entries from then on"),
      level: z.enum(["error", "all"]).optional(),
    }),
    output: z.object({ logs: z.array(entrySchema), has_more: z.boolean() }),
    right: "view",
    risk: "read",
    idempotent: true,
    http: { method: "GET", path: "/v1/:app_id/durable-objects/:name/logs" },
    mcp: { tool: TOOL, action: "logs" },
    async run({ app }, { name, limit = 100, since, level = "all" }) {
      await classOf(context, app.id, name);
      const { entries, hasMore } = await context.runtime.logs({
        appId: app.id,
        kind: "actors",
        unit: name,
        limit,
        sinceMs: since === undefined ? null : Date.parse(since),
        level,
      });
      return { logs: entries.map(presentEntry), has_more: hasMore };
    },
  });

const presentEntry = (entry: LogEntry): z.infer<typeof entrySchema> => ({
  id: entry.id,
  timestamp: new Date(entry.atMs).toISOString(),
  class: entry.unit,
  event: entry.event,
  outcome: entry.outcome,
  request_id: entry.requestId,
  method: entry.method,
  path: entry.path,
  status: entry.status,
  duration_ms: entry.durationMs,
  instance_id: entry.actorId,
  error: entry.error,
  logs: entry.lines.map(({ level, message, atMs }) => ({
    level,
    message,
    timestamp: new Date(atMs).toISOString(),
  })),
});

const ticketOperation = ({ context, tickets }: ActorParts) =>
  appOperation({
    name: "durable_objects.create_ticket",
    title: "Ticket for a WebSocket",
    summary:
      "For signed-in users of the app: a ticket that opens one WebSocket within 30 seconds (?ticket=…), so that no access token is in a URL.",
    input: z.object({
      app_id: appId,
      name: className.optional().describe("Only for this class"),
      instance: z.string().min(1).max(limits.instanceNameBytes).optional().describe("Only for this instance"),
    }),
    output: z.object({ ticket: z.string(), expires_at: z.string(), expires_in: z.number() }),
    right: "public",
    risk: "write",
    idempotent: false,
    whilePaused: false,
    http: { method: "POST", path: "/v1/:app_id/durable-objects/tickets", status: 201 },
    async run({ app, principal, principalProblem, headers }, { name, instance }) {
      if (principalProblem !== undefined) throw principalProblem;
      const token = /^bearer +(\S+)$/i.exec(String(headers?.authorization ?? ""))?.[1];
      if (principal.kind !== "user" || token === undefined) {
        throw errors.AUTH_REQUIRED({
          message: "Tickets are for signed-in users of the app.",
          remediation: "Send `Authorization: Bearer <access token>`; a server uses its key itself.",
        });
      }
      if (name !== undefined) await servingClassOf(context, app.id, name);
      const scope = { className: name ?? null, instance: instance ?? null };
      const { ticket, expiresAtMs } = await tickets.create(app.id, principal.userId, token, scope);
      return {
        ticket,
        expires_at: new Date(expiresAtMs).toISOString(),
        expires_in: Math.floor(limits.ticketMs / 1_000),
      };
    },
  });
