import { z } from "zod";
import { type AnyOperation, type AuditShape, appOperation } from "../../kernel/operation.ts";
import { limits } from "./limits.ts";
import type { FunctionsService } from "./service.ts";
import { appId, changeErrors, envShape, functionName, runAs } from "./shapes.ts";

const TOOL = "manage_function";
const byName = { function_name: "name" };
const changed: AuditShape<{ name: string }> = {
  category: "function",
  action: "update",
  resourceType: "function",
  resourceId: (input) => input.name,
};

/** Variables, settings and versions of functions. */
export function settingsOperations(service: FunctionsService): AnyOperation[] {
  return [updateEnv(service), updateSettings(service), versions(service), rollback(service)];
}

const updateEnv = (service: FunctionsService) =>
  appOperation({
    name: "functions.update_env",
    title: "Set a function's variables",
    summary:
      "Sets variables of a function (ctx.env); null removes one, those not named stay. They are sealed, never shown again, and in force at once.",
    input: z.object({ app_id: appId, name: functionName, env: envShape }),
    output: z.object({
      message: z.string(),
      function: z.string(),
      updatedKeys: z.array(z.string()),
      cache_invalidation: z.object({ success: z.boolean(), attempts: z.number() }),
    }),
    right: "develop",
    risk: "write",
    overwrites: true,
    idempotent: true,
    secretFields: ["env"],
    errors: [...changeErrors, "FUNCTION_NOT_FOUND", "QUOTA_ENV_LIMIT"],
    audit: changed,
    http: { method: "PATCH", path: "/v1/:app_id/functions/:name/env", rename: { envVars: "env" } },
    mcp: { tool: TOOL, action: "update_env", rename: byName, aliases: ["update_function_env"] },
    async run({ app }, { name, env }) {
      await service.updateEnv(app.id, name, env);
      return {
        message: "The variables are in force",
        function: name,
        updatedKeys: Object.keys(env),
        cache_invalidation: { success: true, attempts: 1 },
      };
    },
  });

const updateSettings = (service: FunctionsService) =>
  appOperation({
    name: "functions.update_settings",
    title: "Change a function's settings",
    summary: "Whether keys may call it as a user, whether ctx.db may act as service, and its time limit.",
    input: z.object({
      app_id: appId,
      name: functionName,
      allow_service_key_impersonation: z.boolean().optional(),
      run_as: runAs.optional(),
      timeoutMs: z.number().int().min(limits.minTimeoutMs).max(limits.maxTimeoutMs).optional(),
    }),
    output: z.looseObject({
      message: z.string(),
      function: z.string(),
      allow_service_key_impersonation: z.boolean(),
    }),
    right: "develop",
    risk: "write",
    overwrites: true,
    idempotent: true,
    errors: ["FUNCTION_NOT_FOUND", "FUNCTION_CHANGED"],
    audit: changed,
    http: { method: "PATCH", path: "/v1/:app_id/functions/:name/settings" },
    mcp: { tool: TOOL, action: "update_settings", rename: byName, aliases: ["update_function_settings"] },
    async run({ app }, input) {
      const { row } = await service.updateSettings(app.id, input.name, {
        allowImpersonation: input.allow_service_key_impersonation,
        runAs: input.run_as,
        timeoutMs: input.timeoutMs,
      });
      return {
        message: "The settings are in force",
        function: row.name,
        allow_service_key_impersonation: row.allow_service_key_impersonation,
        run_as: row.run_as,
        timeoutMs: row.timeout_ms,
      };
    },
  });

const versions = (service: FunctionsService) =>
  appOperation({
    name: "functions.list_versions",
    title: "List versions of a function",
    summary: `The last ${limits.versions} versions that were deployed, newest first, and which one serves.`,
    input: z.object({ app_id: appId, name: functionName }),
    output: z.object({
      function: z.string(),
      version: z.number(),
      versions: z.array(
        z.object({ version: z.number(), deployed_by: z.string().nullable(), created_at: z.string() }),
      ),
    }),
    right: "view",
    risk: "read",
    idempotent: true,
    errors: ["FUNCTION_NOT_FOUND"],
    http: { method: "GET", path: "/v1/:app_id/functions/:name/versions" },
    mcp: { tool: TOOL, action: "list_versions", rename: byName, aliases: ["list_function_versions"] },
    async run({ app }, { name }) {
      const { served, versions: all } = await service.versions(app.id, name);
      return {
        function: name,
        version: served,
        versions: all.map(({ version, deployedBy, at }) => ({
          version,
          deployed_by: deployedBy,
          created_at: at.toISOString(),
        })),
      };
    },
  });

const rollback = (service: FunctionsService) =>
  appOperation({
    name: "functions.rollback",
    title: "Roll a function back",
    summary: "Serves the code of a former version again; variables, triggers and settings stay.",
    input: z.object({ app_id: appId, name: functionName, version: z.number().int().min(1) }),
    output: z.object({ message: z.string(), function: z.string(), version: z.number() }),
    right: "develop",
    risk: "execute",
    overwrites: true,
    idempotent: true,
    errors: [...changeErrors, "FUNCTION_NOT_FOUND", "FUNCTION_VERSION_NOT_FOUND"],
    audit: changed,
    http: { method: "POST", path: "/v1/:app_id/functions/:name/rollback" },
    mcp: { tool: TOOL, action: "rollback", rename: byName, aliases: ["rollback_function"] },
    async run({ app }, { name, version }) {
      await service.rollback(app.id, name, version);
      return { message: `Version ${version} serves`, function: name, version };
    },
  });
