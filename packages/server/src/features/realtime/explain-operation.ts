import { z } from "zod";
import { appOperation } from "../../kernel/operation.ts";
import type { Explainer } from "./explain.ts";

/** Whom to look as, as callers write it. */
export const onlooker = z.object({
  role: z.enum(["anon", "user", "service"]),
  user_id: z.string().min(1).max(200).optional().describe("The user's id, for the role user"),
  claims: z
    .record(z.string(), z.unknown())
    .optional()
    .describe("Claims of the user's token, where policies read more than the id"),
});

const policy = z.looseObject({
  name: z.string(),
  type: z.enum(["permissive", "restrictive"]),
  command: z.enum(["ALL", "SELECT", "INSERT", "UPDATE", "DELETE"]),
  roles: z.array(z.string()),
  expression: z.string().nullable(),
  applies: z.boolean(),
  why_not: z
    .enum(["rls_off", "service", "command", "role", "no_using"])
    .optional()
    .describe("Why it has no say when this role reads rows"),
  result: z.boolean().nullable().optional().describe("What it said; null (unknown) lets nothing through"),
  error: z.string().optional().describe("SQLSTATE, when it failed"),
  error_message: z.string().optional(),
});

/**
 * Why somebody sees a row or does not, for whoever develops the app. `tableState` adds what realtime knows of the table
 * at that moment.
 */
export const explainOperation = (
  explainer: Explainer,
  tableState: (appId: string, table: string) => Promise<Record<string, unknown>> = async () => ({}),
) =>
  appOperation({
    name: "realtime.explain",
    title: "Explain who sees a row",
    summary:
      "Says whether somebody (anon, or a user by id) sees one row, and which row-level security policy shows or hides it. The row is named by its primary key, or given as a record, which also answers for rows that don't exist yet.",
    input: z.object({
      app_id: z.string().describe("The app; list_apps shows the ids"),
      table: z.string().min(1).max(63).describe("Name of the table"),
      key: z
        .union([z.string(), z.number(), z.record(z.string(), z.unknown())])
        .optional()
        .describe("Primary key of a row: its value, or an object for a key of several columns"),
      record: z
        .record(z.string(), z.unknown())
        .optional()
        .describe("Instead of key: a row's values; columns left out are null"),
      as: onlooker.describe("Who looks"),
    }),
    output: z.looseObject({
      table: z.string(),
      as: z.object({ role: z.string(), user_id: z.string().nullable() }),
      visible: z.boolean().nullable().describe("null: a policy fails, so the row is not shown"),
      reason: z.string(),
      row_found: z.boolean(),
      rls_enabled: z.boolean(),
      policies: z.array(policy),
      hidden_columns: z.array(z.string()).describe("Columns this role may not read, whatever the row"),
      incomplete: z.literal(true).optional().describe("Not every policy was asked"),
    }),
    right: "view",
    risk: "read",
    idempotent: true,
    errors: ["VALIDATION_TABLE_NOT_FOUND"],
    http: { method: "POST", path: "/v1/:app_id/realtime/explain" },
    mcp: { tool: "manage_realtime", action: "explain" },
    async run({ app }, { table, key, record, as }) {
      const { role, user_id: userId, claims } = as;
      const question = { table, key, record, as: { role, userId, claims } };
      const { policies, hidden_columns, ...explanation } = await explainer.explain(app.id, question);
      return {
        ...(await tableState(app.id, table)),
        ...explanation,
        policies: policies.map((one) => ({ ...one, roles: [...one.roles] })),
        hidden_columns: [...hidden_columns],
      };
    },
  });
