import { z } from "zod";
import type { Platform } from "../../engines/platform.ts";
import { keyOf } from "../../kernel/access.ts";
import { errors } from "../../kernel/errors.ts";
import { type AnyOperation, platformOperation } from "../../kernel/operation.ts";
import type { KeyPrincipal } from "../../kernel/principal.ts";
import { limits } from "./limits.ts";
import { scopesFor } from "./scopes.ts";
import { type KeysService, revocable } from "./service.ts";
import type { KeyRow } from "./store.ts";

const keyShape = z.object({
  id: z.string(),
  key_prefix: z.string(),
  prefix: z.string(),
  name: z.string(),
  kind: z.enum(["person", "agent"]),
  scopes: z.array(z.string()),
  scope: z.enum(["app", "substrate", "both"]),
  organization_id: z.string(),
  substrate_organization_id: z.string().nullable(),
  last_used_at: z.string().nullable(),
  expires_at: z.string().nullable(),
  created_at: z.string(),
});

const present = (row: KeyRow): z.infer<typeof keyShape> => ({
  id: row.id,
  key_prefix: row.prefix,
  prefix: row.prefix,
  name: row.name,
  kind: row.kind,
  scopes: row.scopes,
  scope: row.scope,
  organization_id: row.organization_id,
  substrate_organization_id: row.scope === "app" ? null : row.organization_id,
  last_used_at: row.last_used_at?.toISOString() ?? null,
  expires_at: row.expires_at?.toISOString() ?? null,
  created_at: row.created_at.toISOString(),
});

/** Whose keys the caller may see and revoke: the whole organisation's for admins and owners, else its own. */
const reach = (key: KeyPrincipal) => (key.role === "owner" || key.role === "admin" ? null : key.accountId);

/** The earlier of two ends; null never ends. */
const earlier = (a: number | null, b: number | null): number | null =>
  a === null || b === null ? (a ?? b) : Math.min(a, b);

/** A key makes no key that opens more than it does itself. */
function refuseMinting(
  caller: KeyPrincipal,
  scope: "app" | "substrate" | "both",
  scopes: readonly string[],
): void {
  const refuse = (message: string) => errors.AUTH_INSUFFICIENT_PERMISSIONS({ message });
  if (caller.scopes.includes("read")) throw refuse("The key is read-only.");
  if (!caller.scopes.includes("*")) throw refuse("A key bound to one app can't mint keys.");
  if ((scope !== "app" || scopes.includes("substrate")) && !caller.scopes.includes("substrate")) {
    throw refuse("The key is not scoped to the substrate, and can't mint one that is.");
  }
}

const mintInput = z.object({
  name: z.string().trim().min(1).max(limits.nameChars).default("service key").describe("What the key is for"),
  kind: z
    .enum(["agent", "person"])
    .default("agent")
    .describe("agent for programs; person may decide approvals and mint keys"),
  scope: z
    .enum(["app", "substrate", "both"])
    .optional()
    .describe("Which interface the key opens; default app"),
  substrate_access: z.boolean().optional().describe("Same as scope: both"),
  key_scope: z
    .string()
    .default("account")
    .describe("account: every app of the organisation; app: only target_app_id"),
  target_app_id: z.string().optional().describe("The app of an app-bound key"),
  app_id: z.string().optional().describe("Same as target_app_id when key_scope is app"),
  additional_scopes: z.array(z.string()).max(10).default([]).describe("ai:gateway, substrate"),
  read_only: z.boolean().default(false).describe("The key may read but change nothing"),
  expires_in_days: z
    .number()
    .int()
    .min(1)
    .max(limits.lifeDays)
    .optional()
    .describe("Days until the key stops working"),
  organization_id: z.uuid().optional().describe("The caller key's own organisation, and no other"),
});

export function keyOperations(
  platform: Platform,
  service: KeysService,
  appOrganization: (appId: string) => Promise<string | null>,
): AnyOperation[] {
  return [
    platformOperation({
      name: "keys.create",
      title: "Mint an API key",
      summary:
        "Makes an API key for the caller's account in the caller key's organisation, living no longer than the caller's key. The key is in the answer, once. Only a person may do this.",
      input: mintInput,
      output: keyShape.extend({ key: z.string(), keyId: z.string() }),
      right: "view",
      personOnly: true,
      risk: "write",
      idempotent: false,
      errors: [
        "NOT_A_MEMBER",
        "INVALID_KEY_SCOPE",
        "TARGET_APP_REQUIRED",
        "TARGET_APP_NOT_ALLOWED",
        "RESERVED_SCOPE",
        "UNKNOWN_SCOPE",
        "QUOTA_KEYS",
      ],
      audit: { category: "admin", action: "create", resourceType: "api_key", resourceId: (i) => i.name },
      http: { method: "POST", path: "/api-keys", status: 201 },
      mcp: { tool: "manage_auth_config", action: "generate_service_key" },
      async run(call, input) {
        const caller = keyOf(call);
        const target = input.target_app_id ?? (input.key_scope === "app" ? input.app_id : undefined);
        const scope = input.scope ?? (input.substrate_access ? "both" : "app");
        const scopes = scopesFor({ ...input, scope, target_app_id: target });
        const { organizationId } = caller;
        if (target !== undefined && (await appOrganization(target)) !== organizationId) {
          throw errors.RESOURCE_NOT_FOUND({
            message: `There is no app ${target.slice(0, 80)} in this organisation.`,
          });
        }
        refuseMinting(caller, scope, scopes);
        const { key, ...row } = await service.mint(platform.database, {
          organizationId,
          accountId: caller.accountId,
          kind: input.kind,
          name: input.name,
          ...{ scope, scopes },
          expiresAtMs: earlier(
            caller.expiresAtMs,
            input.expires_in_days === undefined ? null : call.nowMs + input.expires_in_days * 86_400_000,
          ),
        });
        return { ...present(row), key, keyId: row.id };
      },
    }),
    platformOperation({
      name: "keys.list",
      title: "List API keys",
      summary: "The live API keys the caller may see, without the keys themselves.",
      input: z.object({
        scope: z.enum(["app", "substrate", "both", "me"]).optional().describe("Only keys of this kind"),
      }),
      output: z.object({ keys: z.array(keyShape) }),
      right: "view",
      risk: "read",
      idempotent: true,
      http: { method: "GET", path: "/api-keys" },
      mcp: { tool: "manage_api_keys", action: "list" },
      async run(call, input) {
        const caller = keyOf(call);
        const rows = await service.list(
          caller.organizationId,
          input.scope === "me" ? caller.accountId : reach(caller),
        );
        const wanted =
          input.scope === undefined || input.scope === "me"
            ? rows
            : rows.filter((row) => row.scope === input.scope);
        return { keys: wanted.map(present) };
      },
    }),
    platformOperation({
      name: "keys.revoke",
      title: "Revoke an API key",
      summary: "Ends an API key for good, within a second. A person's key can only be revoked by a person.",
      input: z.object({ key_id: z.uuid().describe("Id from the list") }),
      output: z.object({ revoked: z.literal(true), id: z.string() }),
      right: "view",
      risk: "destructive",
      idempotent: false,
      audit: { category: "admin", action: "delete", resourceType: "api_key", resourceId: (i) => i.key_id },
      http: { method: "DELETE", path: "/api-keys/:key_id" },
      mcp: { tool: "manage_api_keys", action: "revoke" },
      async run(call, input) {
        const caller = keyOf(call);
        if (caller.scopes.includes("read"))
          throw errors.AUTH_INSUFFICIENT_PERMISSIONS({ message: "The key is read-only." });
        const key = revocable(caller, await service.list(caller.organizationId, reach(caller)), input.key_id);
        await service.revoke(key.id);
        return { revoked: true as const, id: key.id };
      },
    }),
  ];
}
