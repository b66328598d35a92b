import { z } from "zod";
import { ENV_NAME } from "../../kernel/env-names.ts";
import { limits } from "./limits.ts";
import { TRIGGER_TYPES } from "./triggers.ts";
import type { FunctionView } from "./views.ts";

export const appId = z.string().describe("The app");

/** What changes of an app's functions can meet: they are tried and swapped in. */
export const changeErrors = [
  "VALIDATION_ERROR",
  "FUNCTION_CHANGED",
  "RUNTIME_UNSUPPORTED",
  "RUNTIME_UNAVAILABLE",
] as const;

export const functionName = z
  .string()
  .max(limits.nameChars)
  .regex(/^[A-Za-z0-9][A-Za-z0-9_-]*$/, "letters, digits, - and _, beginning with a letter or digit")
  .describe("Name of the function");

export const envShape = z
  .record(z.string().regex(ENV_NAME), z.string().max(limits.envValueChars).nullable())
  .describe("Name → value; null removes. What is not named stays");

export const runAs = z
  .enum(["caller", "service"])
  .describe("service: ctx.db.asService() and asUser() may be used whoever calls; default caller");

export const triggerShape = z.object({
  type: z.enum(TRIGGER_TYPES),
  config: z
    .unknown()
    .optional()
    .describe(
      'http {"auth": "required"|"optional"|"none"}; cron {"schedule": "*/5 * * * *", "timezone"?}; webhook {"provider": "stripe"|"github"|"standard"|"custom", "secret", "signature_header"?, "idempotency_key_header"?}; websocket {"event"}',
    ),
  enabled: z.boolean().optional(),
});

const shownTrigger = z.looseObject({ type: z.string(), enabled: z.boolean() });

export const listedShape = z.looseObject({
  id: z.string(),
  name: z.string(),
  description: z.string().nullable(),
  triggers: z.array(shownTrigger),
  url: z.string().nullable(),
  status: z.enum(["active", "error"]),
  deployedAt: z.string(),
  lastInvoked: z.string().nullable(),
  lastStatus: z.number().nullable(),
  invocationCount: z.number(),
  errorRate: z.number(),
  avgDuration: z.number().nullable(),
  agent_tool: z.boolean(),
});

/** A function as listings show it. */
export function listed(view: FunctionView): z.infer<typeof listedShape> {
  const { row } = view;
  return {
    id: row.id,
    name: row.name,
    description: row.description,
    triggers: view.triggers.map((trigger) => ({ ...trigger })),
    url: view.url,
    status: view.status,
    ...(view.problem === null ? {} : { problem: view.problem }),
    version: row.version,
    deployedAt: row.deployed_at.toISOString(),
    lastInvoked: view.lastInvoked,
    lastStatus: view.lastStatus,
    invocationCount: view.invocationCount,
    errorCount: view.errorCount,
    errorRate: view.errorRate,
    avgDuration: view.avgDuration,
    run_as: row.run_as,
    allow_service_key_impersonation: row.allow_service_key_impersonation,
    agent_tool: row.agent_tool,
    agent_tool_description: row.agent_tool_description,
    agent_tool_mode: row.agent_tool_mode,
    agent_tool_exposed_to: row.agent_tool_exposed_to,
  };
}
