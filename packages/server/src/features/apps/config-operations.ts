import { z } from "zod";
import type { Platform } from "../../engines/platform.ts";
import { ENV_NAME, isReservedEnv } from "../../kernel/env-names.ts";
import { type AnyOperation, type AuditShape, appOperation } from "../../kernel/operation.ts";
import { sealAppVariable } from "./environment.ts";
import { appErrors } from "./errors.ts";
import { limits } from "./limits.ts";
import { presentApp, type SubstrateLinksOf } from "./operations.ts";
import type { AppsService } from "./service.ts";
import type { AppPatch, AppRow } from "./store.ts";

const appId = z.string().describe("The app");
const message = z.object({ message: z.string(), app_id: z.string() });
const audited: AuditShape<Record<string, unknown>> = {
  category: "admin",
  action: "update",
  resourceType: "app_config",
  resourceId: (input) => String(input.app_id),
};

/** One `PATCH /v1/:app_id/config/<name>` that writes columns of the app and says what they are now. */
function setting<I extends z.ZodObject>(
  service: AppsService,
  declaration: {
    name: string;
    title: string;
    summary: string;
    path: string;
    action?: string;
    input: I;
    rename?: Record<string, string>;
    patch(input: z.infer<I>, app: AppRow): AppPatch;
    shown(app: AppRow): Record<string, unknown>;
  },
): AnyOperation {
  return appOperation({
    name: declaration.name,
    title: declaration.title,
    summary: declaration.summary,
    input: declaration.input.extend({ app_id: appId }),
    output: z.looseObject(message.shape),
    right: "develop",
    risk: "write",
    idempotent: true,
    audit: audited,
    http: {
      method: "PATCH",
      path: `/v1/:app_id/config/${declaration.path}`,
      ...(declaration.rename ? { rename: declaration.rename } : {}),
    },
    ...(declaration.action ? { mcp: { tool: "manage_app", action: declaration.action } } : {}),
    async run({ app }, input) {
      const changed = await service.change(app.id, (row) => declaration.patch(input as z.infer<I>, row));
      return { message: `${declaration.title}: done`, app_id: app.id, ...declaration.shown(changed) };
    },
  });
}

const origin = z
  .string()
  .max(300)
  .transform((text, context) => {
    if (text === "*") return text;
    if (URL.canParse(text) && /^https?:/.test(text)) return new URL(text).origin;
    context.addIssue({ code: "custom", message: "an origin looks like https://app.example.com" });
    return z.NEVER;
  });

export function configOperations(
  platform: Platform,
  service: AppsService,
  linksOf: SubstrateLinksOf,
): AnyOperation[] {
  return [
    appOperation({
      name: "apps.get_config",
      title: "Get app configuration",
      summary: "An app's settings: access mode, CORS, token lifetimes, storage, visibility, pause.",
      input: z.object({ app_id: appId }),
      output: z.looseObject({ id: z.string(), name: z.string(), access_mode: z.string() }),
      right: "view",
      risk: "read",
      idempotent: true,
      http: { method: "GET", path: "/v1/:app_id/config" },
      mcp: { tool: "manage_app", action: "get_config" },
      async run({ app }) {
        const row = await service.config(app.id);
        return {
          ...presentApp(row, (await linksOf([app.id])).get(app.id)),
          allowed_origins: row.allowed_origins,
          storage_config: row.storage_config,
          jwt_config: row.jwt_config,
          auth_config: row.auth_config,
          auth_hook_function: row.auth_hook_function,
          paused_at: row.paused_at?.toISOString() ?? null,
          paused_reason: row.paused_reason,
          repo_latest_snapshot: null,
          updated_at: row.updated_at.toISOString(),
        };
      },
    }),
    setting(service, {
      name: "apps.update_access_mode",
      title: "Update access mode",
      summary: "public: anonymous callers come as butterbase_anon. authenticated: they are refused.",
      path: "access-mode",
      action: "update_access_mode",
      input: z.object({ access_mode: z.enum(["public", "authenticated"]) }),
      patch: (input) => ({ access_mode: input.access_mode }),
      shown: (app) => ({ access_mode: app.access_mode }),
    }),
    setting(service, {
      name: "apps.update_cors",
      title: "Update CORS",
      summary:
        "Which web origins may call this app from a browser. Empty: pages on this machine and the app's own name.",
      path: "cors",
      action: "update_cors",
      rename: { allowedOrigins: "allowed_origins" },
      input: z.object({
        allowed_origins: z.array(origin).max(limits.allowedOrigins).describe("Origins, or * for any"),
      }),
      patch: (input) => ({ allowed_origins: [...new Set(input.allowed_origins)] }),
      shown: (app) => ({ allowed_origins: app.allowed_origins }),
    }),
    setting(service, {
      name: "apps.set_visibility",
      title: "Set visibility",
      summary: "Whether others may find the app as a template.",
      path: "visibility",
      action: "set_visibility",
      input: z.object({ visibility: z.enum(["private", "public"]), listed: z.boolean().optional() }),
      patch: (input) => ({
        visibility: input.visibility,
        ...(input.listed === undefined ? {} : { listed: input.listed }),
      }),
      shown: (app) => ({ visibility: app.visibility, listed: app.listed }),
    }),
    setting(service, {
      name: "apps.pause",
      title: "Pause or resume",
      summary: "A paused app answers 503 on its data plane; management stays usable.",
      path: "pause",
      action: "pause",
      input: z.object({ paused: z.boolean(), reason: z.string().max(500).optional() }),
      patch: (input, app) =>
        input.paused
          ? { paused_at: app.paused_at ?? new Date(platform.clock()), paused_reason: input.reason ?? null }
          : { paused_at: null, paused_reason: null },
      shown: (app) => ({
        paused: app.paused_at !== null,
        paused_at: app.paused_at?.toISOString() ?? null,
        paused_reason: app.paused_reason,
      }),
    }),
    setting(service, {
      name: "apps.update_storage",
      title: "Update storage settings",
      summary: "Limits and public reading of the app's file storage.",
      path: "storage",
      input: z.object({
        publicReadEnabled: z.boolean().optional(),
        storageLimitBytes: z.number().int().min(0).optional(),
        maxFileSizeMb: z.number().int().min(1).max(5_000).optional(),
        allowedContentTypes: z.array(z.string().max(100)).max(100).optional(),
      }),
      patch: ({ publicReadEnabled, storageLimitBytes, maxFileSizeMb, allowedContentTypes }, app) => ({
        storage_config: Object.fromEntries(
          Object.entries({
            ...app.storage_config,
            publicReadEnabled,
            storageLimitBytes,
            maxFileSizeMb,
            allowedContentTypes,
          }).map(([key, value]) => [key, value ?? app.storage_config[key]]),
        ),
      }),
      shown: (app) => ({ storage_config: app.storage_config }),
    }),
    ...envOperations(platform, service),
  ];
}

function envOperations({ secrets, clock }: Platform, service: AppsService): AnyOperation[] {
  return [
    appOperation({
      name: "apps.get_env",
      title: "List environment variables",
      summary: "Names of the app's environment variables; values are never shown.",
      input: z.object({ app_id: appId }),
      output: z.object({ keys: z.array(z.string()), updatedAt: z.string().nullable() }),
      right: "view",
      risk: "read",
      idempotent: true,
      http: { method: "GET", path: "/v1/:app_id/env" },
      mcp: { tool: "manage_app", action: "get_env" },
      async run({ app }) {
        const row = await service.config(app.id);
        return { keys: Object.keys(row.env).sort(), updatedAt: row.env_updated_at?.toISOString() ?? null };
      },
    }),
    appOperation({
      name: "apps.update_env",
      title: "Set environment variables",
      summary: "Sets variables of the app; null removes one. Values are sealed and never shown again.",
      input: z.object({
        app_id: appId,
        env: z
          .record(z.string().regex(ENV_NAME), z.string().max(limits.envValueChars).nullable())
          .describe("Name → value; null removes"),
      }),
      output: z.object({
        updatedKeys: z.array(z.string()),
        invalidated: z.object({ functions: z.array(z.string()), count: z.number() }),
      }),
      right: "develop",
      risk: "write",
      idempotent: true,
      secretFields: ["env"],
      errors: ["ENV_RESERVED"],
      audit: audited,
      http: { method: "PATCH", path: "/v1/:app_id/env", rename: { envVars: "env" } },
      mcp: { tool: "manage_app", action: "update_env" },
      async run({ app }, input) {
        const given = Object.entries(input.env as Record<string, string | null>);
        for (const [name] of given) {
          if (isReservedEnv(name)) throw appErrors.ENV_RESERVED({ details: { name } });
        }
        await service.change(app.id, ({ env }) => {
          const next: Record<string, string> = { ...env };
          for (const [name, value] of given) {
            if (value === null) delete next[name];
            else next[name] = sealAppVariable(secrets, app.id, name, value);
          }
          if (Object.keys(next).length > limits.envVariables) throw appErrors.QUOTA_ENV_LIMIT();
          return { env: next, env_updated_at: new Date(clock()) };
        });
        return { updatedKeys: Object.keys(input.env), invalidated: { functions: [], count: 0 } };
      },
    }),
  ];
}
