import { z } from "zod";
import type { Platform } from "../../engines/platform.ts";
import { type AnyOperation, type AuditShape, appOperation } from "../../kernel/operation.ts";
import { actorOf } from "../../kernel/principal.ts";
import { limits } from "./limits.ts";
import type { FunctionsService } from "./service.ts";
import {
  appId,
  changeErrors,
  envShape,
  functionName,
  listed,
  listedShape,
  runAs,
  triggerShape,
} from "./shapes.ts";

const TOOL = "manage_function";
const byName = { function_name: "name" };

const audit = (action: AuditShape<unknown>["action"]): AuditShape<{ name: string }> => ({
  category: "function",
  action,
  resourceType: "function",
  resourceId: (input) => input.name,
});

/** Deploying, looking at and removing functions. */
export function functionOperations(platform: Platform, service: FunctionsService): AnyOperation[] {
  return [deploy(platform, service), list(service), get(service), remove(service)];
}

const deploy = (platform: Platform, service: FunctionsService) =>
  appOperation({
    name: "functions.deploy",
    title: "Deploy a function",
    summary:
      "Deploys one TypeScript file as a function, live at once; the same name again is a new version. The file exports `async function handler(req: Request, ctx)` (or a default function) that returns a Response or a JSON value. It may import only cloudflare:workers. ctx: db, env, user, caller, invoke, invokeDO, waitUntil, idempotency, log. Without triggers it answers signed-in callers and keys at its url.",
    input: z.object({
      app_id: appId,
      name: functionName,
      code: z.string().min(1).describe("TypeScript or JavaScript, one file"),
      description: z.string().max(limits.descriptionChars).optional(),
      envVars: envShape.optional(),
      timeoutMs: z.number().int().min(limits.minTimeoutMs).max(limits.maxTimeoutMs).optional(),
      memoryLimitMb: z.number().int().min(limits.minMemoryMb).max(limits.maxMemoryMb).optional(),
      trigger: triggerShape.optional().describe("One trigger; or use triggers"),
      triggers: z.array(triggerShape).max(10).optional().describe("At most one of each type"),
      run_as: runAs.optional(),
      agent_tool: z.boolean().optional(),
      agent_tool_description: z.string().max(limits.agentDescriptionChars).optional(),
      agent_tool_mode: z.enum(["read_only", "read_write"]).optional(),
      agent_tool_exposed_to: z.enum(["developer_only", "end_user"]).optional(),
      allow_service_key_impersonation: z
        .boolean()
        .optional()
        .describe("Whether keys may call it as a user (X-Butterbase-As-User); default true"),
    }),
    output: z.looseObject({
      id: z.string(),
      name: z.string(),
      url: z.string().nullable(),
      triggers: z.array(z.object({ type: z.string(), enabled: z.boolean() })),
      version: z.number(),
      deployedAt: z.string(),
      cacheInvalidation: z.object({ success: z.boolean(), attempts: z.number() }),
    }),
    right: "develop",
    risk: "execute",
    overwrites: true,
    idempotent: true,
    secretFields: ["envVars", "trigger", "triggers"],
    errors: [...changeErrors, "QUOTA_FUNCTION_LIMIT", "QUOTA_ENV_LIMIT", "RUNTIME_BUSY"],
    audit: audit("create"),
    http: { method: "POST", path: "/v1/:app_id/functions" },
    mcp: { tool: "deploy_function" },
    async run({ app, principal }, input) {
      const triggers = input.triggers ?? (input.trigger === undefined ? undefined : [input.trigger]);
      const deployed = await service.deploy(app, {
        name: input.name,
        code: input.code,
        description: input.description,
        env: input.envVars,
        timeoutMs: input.timeoutMs,
        memoryLimitMb: input.memoryLimitMb,
        triggers,
        runAs: input.run_as,
        allowImpersonation: input.allow_service_key_impersonation,
        agentTool: input.agent_tool,
        agentToolDescription: input.agent_tool_description,
        agentToolMode: input.agent_tool_mode,
        agentToolExposedTo: input.agent_tool_exposed_to,
        by: actorOf(principal).id,
      });
      const { row } = deployed;
      const open = deployed.triggers.some(({ type, enabled }) => type === "http" && enabled);
      return {
        id: row.id,
        name: row.name,
        url: open ? `${platform.publicUrl()}/v1/${app.id}/fn/${row.name}` : null,
        triggers: deployed.triggers.map(({ type, enabled }) => ({ type, enabled })),
        version: row.version,
        deployedAt: row.deployed_at.toISOString(),
        cacheInvalidation: { success: true, attempts: 1 },
        _meta: {
          next_actions: [
            {
              action: "Try it",
              description: "invoke_function with app_id and function_name.",
              tool: "invoke_function",
              recommended: true,
            },
            {
              action: "Read its logs",
              description: "manage_function with action get_logs.",
              tool: TOOL,
            },
          ],
        },
      };
    },
  });

const list = (service: FunctionsService) =>
  appOperation({
    name: "functions.list",
    title: "List functions",
    summary: "The app's functions with their triggers, URLs and how they have been doing.",
    input: z.object({ app_id: appId }),
    output: z.object({ functions: z.array(listedShape) }),
    right: "view",
    risk: "read",
    idempotent: true,
    http: { method: "GET", path: "/v1/:app_id/functions" },
    mcp: { tool: TOOL, action: "list", aliases: ["list_functions"] },
    run: async ({ app }) => ({ functions: (await service.list(app.id)).map(listed) }),
  });

const get = (service: FunctionsService) =>
  appOperation({
    name: "functions.get",
    title: "Show a function",
    summary:
      "A function with its code, triggers (for cron also the next run and runs that were missed), limits and statistics. Values of variables and secrets are never shown.",
    input: z.object({ app_id: appId, name: functionName }),
    output: listedShape.extend({
      code: z.string(),
      timeoutMs: z.number(),
      memoryLimitMb: z.number(),
      errorCount: z.number(),
      envKeys: z.array(z.string()),
    }),
    right: "view",
    risk: "read",
    idempotent: true,
    errors: ["FUNCTION_NOT_FOUND"],
    http: { method: "GET", path: "/v1/:app_id/functions/:name" },
    mcp: { tool: TOOL, action: "get", rename: byName, aliases: ["get_function"] },
    async run({ app }, { name }) {
      const view = await service.get(app.id, name);
      return {
        ...listed(view),
        code: view.code,
        timeoutMs: view.row.timeout_ms,
        memoryLimitMb: view.row.memory_limit_mb,
        errorCount: view.errorCount,
        envKeys: Object.keys(view.row.env).sort(),
        createdAt: view.row.created_at.toISOString(),
      };
    },
  });

const remove = (service: FunctionsService) =>
  appOperation({
    name: "functions.delete",
    title: "Delete a function",
    summary: "Removes a function; its URL, schedule and webhook stop at once. Its logs stay readable.",
    input: z.object({ app_id: appId, name: functionName }),
    output: z.object({ success: z.literal(true) }),
    right: "develop",
    risk: "destructive",
    idempotent: false,
    errors: [...changeErrors, "FUNCTION_NOT_FOUND"],
    audit: audit("delete"),
    http: { method: "DELETE", path: "/v1/:app_id/functions/:name" },
    mcp: { tool: TOOL, action: "delete", rename: byName, aliases: ["delete_function"] },
    async run({ app }, { name }) {
      await service.delete(app.id, name);
      return { success: true as const };
    },
  });
