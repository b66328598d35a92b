import { z } from "zod";
import type { Platform } from "../../engines/platform.ts";
import { keyOf, scopesReachApp } from "../../kernel/access.ts";
import {
  type AnyOperation,
  appOperation,
  type NextAction,
  platformOperation,
} from "../../kernel/operation.ts";
import { appErrors } from "./errors.ts";
import { limits } from "./limits.ts";
import type { AppsService } from "./service.ts";
import type { AppRow } from "./store.ts";

/** The one region of a self-hosted server. */
export const REGION = "local";

const appId = z.string().describe("The app; list shows the ids");
const listed = z.object({
  id: z.string(),
  name: z.string(),
  subdomain: z.string(),
  db_name: z.string(),
  db_provisioned: z.boolean(),
  provisioning_status: z.string(),
  region: z.string(),
  access_mode: z.string(),
  paused: z.boolean(),
  visibility: z.string(),
  listed: z.boolean(),
  template_source_app_id: z.null(),
  fork_count: z.number(),
  substrate_organization_id: z.string().nullable(),
  substrate_autopropagate: z.boolean(),
  created_at: z.string(),
  organization_id: z.string(),
});

/** How an app uses its organisation's substrate. */
export interface SubstrateLink {
  readonly organization_id: string;
  readonly mirror_users: boolean;
}

/** The links of those of these apps that have one. */
export type SubstrateLinksOf = (appIds: readonly string[]) => Promise<ReadonlyMap<string, SubstrateLink>>;

/** An app as listings show it. */
export const presentApp = (row: AppRow, link?: SubstrateLink): z.infer<typeof listed> => ({
  id: row.id,
  name: row.name,
  subdomain: row.subdomain,
  db_name: row.id,
  db_provisioned: row.status === "ready",
  provisioning_status: row.status,
  region: REGION,
  access_mode: row.access_mode,
  paused: row.paused_at !== null,
  visibility: row.visibility,
  listed: row.listed,
  template_source_app_id: null,
  fork_count: 0,
  substrate_organization_id: link?.organization_id ?? null,
  substrate_autopropagate: link?.mirror_users ?? false,
  created_at: row.created_at.toISOString(),
  organization_id: row.organization_id,
});

/** Where an app answers on its own name, e.g. `http://notes.localhost:4000`. */
export function appUrl(platform: Platform, subdomain: string): string {
  const base = new URL(platform.publicUrl());
  const port = base.port === "" ? "" : `:${base.port}`;
  return `${base.protocol}//${subdomain}.${platform.config.baseDomain}${port}`;
}

const AFTER_INIT: NextAction[] = [
  {
    action: "Create tables",
    description: "manage_schema with action apply: declare tables and columns.",
    recommended: true,
  },
  {
    action: "Protect rows",
    description: "manage_rls with action create_user_isolation: each end user sees their own rows.",
    recommended: true,
  },
  {
    action: "Switch realtime on",
    description: "manage_realtime with action configure: clients get changes over WebSocket.",
    recommended: false,
  },
];

export function lifecycleOperations(
  platform: Platform,
  service: AppsService,
  linksOf: SubstrateLinksOf,
): AnyOperation[] {
  return [
    platformOperation({
      name: "apps.init",
      title: "Create an app",
      summary:
        "Creates an app with its own database schema, ready at once. Asking again with the same name gives the same app.",
      input: z.object({
        name: z
          .string()
          .max(limits.givenNameChars)
          .transform((text) =>
            text
              .trim()
              .toLowerCase()
              .replace(/[^a-z0-9_-]+/g, "-")
              .replace(/^[-_]+|-+$/g, ""),
          )
          .pipe(
            z
              .string()
              .regex(/^[a-z0-9][a-z0-9_-]*$/, "use letters, digits, - and _")
              .max(63),
          )
          .describe("Name: letters, digits, - and _; at most 63 characters"),
        subdomain: z
          .string()
          .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/)
          .optional()
          .describe("Host name label; chosen from the name when left out"),
        region: z.string().min(1).optional().describe(`Only "${REGION}" here`),
        organization_id: z
          .string()
          .min(1)
          .optional()
          .describe("Organisation to create it in; default the key's"),
      }),
      output: z.looseObject({
        app_id: z.string(),
        name: z.string(),
        db_provisioned: z.boolean(),
        provisioning_status: z.string(),
        api_url: z.string(),
        subdomain: z.string(),
        url: z.string(),
        created_at: z.string(),
      }),
      right: "develop",
      risk: "write",
      idempotent: true,
      errors: ["QUOTA_APP_LIMIT", "SUBDOMAIN_TAKEN", "REGION_UNKNOWN"],
      audit: { category: "admin", action: "create", resourceType: "app", resourceId: (input) => input.name },
      http: { method: "POST", path: "/init", status: (output: object) => ("_meta" in output ? 201 : 200) },
      mcp: { tool: "init_app" },
      async run(call, input) {
        if (input.region !== undefined && input.region !== REGION) {
          throw appErrors.REGION_UNKNOWN({ details: { allowed: [REGION] } });
        }
        const { app, created } = await service.create({
          ...input,
          organizationId: keyOf(call).organizationId,
        });
        return {
          app_id: app.id,
          name: app.name,
          db_provisioned: true,
          provisioning_status: app.status,
          api_url: `${platform.publicUrl()}/v1/${app.id}`,
          subdomain: app.subdomain,
          url: appUrl(platform, app.subdomain),
          region: REGION,
          access_mode: app.access_mode,
          created_at: app.created_at.toISOString(),
          ...(created ? { _meta: { next_actions: AFTER_INIT } } : {}),
        };
      },
    }),
    platformOperation({
      name: "apps.list",
      title: "List apps",
      summary: "Every app of the organisation that the key reaches.",
      input: z.object({}),
      output: z.object({ apps: z.array(listed) }),
      right: "view",
      risk: "read",
      idempotent: true,
      http: { method: "GET", path: "/apps" },
      mcp: { tool: "manage_app", action: "list", aliases: ["list_apps"] },
      async run(call) {
        const { scopes, organizationId } = keyOf(call);
        const rows = (await service.list(organizationId)).filter((row) => scopesReachApp(scopes, row.id));
        const links = await linksOf(rows.map((row) => row.id));
        return { apps: rows.map((row) => presentApp(row, links.get(row.id))) };
      },
    }),
    appOperation({
      name: "apps.status",
      title: "App status",
      summary: "Whether an app's database is ready.",
      input: z.object({ app_id: appId }),
      output: z.object({
        app_id: z.string(),
        name: z.string(),
        db_provisioned: z.boolean(),
        provisioning_status: z.string(),
        provisioning_error: z.null(),
      }),
      right: "view",
      risk: "read",
      idempotent: true,
      http: { method: "GET", path: "/apps/:app_id/status" },
      run: async ({ app }) => ({
        app_id: app.id,
        name: app.name,
        db_provisioned: true,
        provisioning_status: app.status,
        provisioning_error: null,
      }),
    }),
    appOperation({
      name: "apps.delete",
      title: "Delete an app",
      summary: "Destroys an app with its tables, users, keys and configuration, for good.",
      input: z.object({ app_id: appId }),
      output: z.object({ message: z.string(), app_id: z.string(), db_name: z.string() }),
      right: "develop",
      risk: "destructive",
      idempotent: false,
      audit: {
        category: "admin",
        action: "delete",
        resourceType: "app",
        resourceId: (input) => input.app_id,
      },
      http: { method: "DELETE", path: "/apps/:app_id" },
      mcp: { tool: "manage_app", action: "delete" },
      async run({ app }) {
        await service.delete(app.id);
        return { message: `App ${app.name} was deleted`, app_id: app.id, db_name: app.id };
      },
    }),
    platformOperation({
      name: "apps.list_regions",
      title: "List Regions",
      summary: "The regions apps can live in; a self-hosted server has one.",
      input: z.object({}),
      output: z.object({ regions: z.array(z.string()) }),
      right: "public",
      risk: "read",
      idempotent: true,
      http: { method: "GET", path: "/v1/regions" },
      mcp: { tool: "list_regions" },
      run: async () => ({ regions: [REGION] }),
    }),
  ];
}
