import { z } from "zod";
import { decideAccess, organizationKeyOf } from "../../kernel/access.ts";
import { type AnyOperation, type AppCall, appOperation } from "../../kernel/operation.ts";
import type { RecordKind } from "../memory/service.ts";
import { linkErrors } from "./errors.ts";
import { limits } from "./limits.ts";
import type { SubstrateLinksService } from "./service.ts";
import type { LinkRow } from "./store.ts";

const KINDS: readonly [RecordKind, ...RecordKind[]] = [
  "entity",
  "decision",
  "commitment",
  "learning",
  "source_artifact",
  "link",
];
const readScope = z
  .object({
    kinds: z.array(z.enum(KINDS)).max(KINDS.length).optional().describe("Only these kinds; default all"),
    entity_types: z
      .array(z.string().min(1).max(40))
      .max(limits.entityTypes)
      .optional()
      .describe("Only entities of these types; default all"),
    own_only: z.boolean().optional().describe("Only what the app wrote itself"),
  })
  .describe("What the app may read; default everything");

const linked = z.object({
  app_id: z.string(),
  linked: z.boolean(),
  substrate_organization_id: z.string().nullable(),
  substrate_autopropagate: z.boolean(),
  read_scope: readScope.nullable(),
});

const present = (appId: string, row: LinkRow | null): z.infer<typeof linked> => ({
  app_id: appId,
  linked: row !== null,
  substrate_organization_id: row?.organization_id ?? null,
  substrate_autopropagate: row?.mirror_users ?? false,
  read_scope:
    row === null
      ? null
      : ({ ...row.read_scope, kinds: row.read_scope.kinds?.slice() } as z.infer<typeof readScope>),
});

/** What an app may read is for a person who may administer the organisation to say, with no key of the app's own. */
function refuseScope(call: AppCall): void {
  const refusal = decideAccess({
    principal: organizationKeyOf(call),
    right: "administer",
    surface: "substrate",
    personOnly: true,
    app: call.app,
    organizationId: null,
    nowMs: call.nowMs,
  });
  if (refusal !== null) throw refusal;
}

const appId = z.string().describe("The app");
const shared = { surface: "substrate", idempotent: true, output: linked } as const;

/** Linking apps to their organisation's substrate. */
export function linkOperations(links: SubstrateLinksService): AnyOperation[] {
  return [
    appOperation({
      ...shared,
      surface: "app",
      name: "substrate_links.get",
      title: "Show an app's link",
      summary: "Whether the app uses its organisation's substrate, and what it may read of it.",
      input: z.object({ app_id: appId }),
      right: "view",
      risk: "read",
      http: { method: "GET", path: "/v1/me/apps/:app_id/substrate-link" },
      mcp: { tool: "manage_app", action: "get_substrate_link" },
      run: async ({ app }) => present(app.id, await links.get(app.id)),
    }),
    appOperation({
      ...shared,
      name: "substrate_links.link",
      title: "Link an app to the substrate",
      summary:
        "Lets the app's code and keys use the organisation's memory: ctx.substrate proposes and reads. A read_scope narrows what it may read; only a person who may administer the organisation sets one, and an app that had one keeps it when linked again.",
      input: z.object({
        app_id: appId,
        organization_id: z.string().min(1).optional().describe("The app's own organisation, and no other"),
        read_scope: readScope.optional(),
      }),
      right: "develop",
      risk: "write",
      errors: ["SUBSTRATE_OTHER_ORGANIZATION"],
      audit: {
        category: "admin",
        action: "update",
        resourceType: "substrate_link",
        resourceId: (i) => i.app_id,
      },
      http: { method: "POST", path: "/v1/me/apps/:app_id/substrate-link" },
      mcp: { tool: "manage_app", action: "link_substrate" },
      async run(call, input) {
        const { app } = call;
        if (input.organization_id !== undefined && input.organization_id !== app.organizationId) {
          throw linkErrors.SUBSTRATE_OTHER_ORGANIZATION();
        }
        if (input.read_scope !== undefined) refuseScope(call);
        return present(app.id, await links.link(app.id, app.organizationId, input.read_scope ?? null));
      },
    }),
    appOperation({
      ...shared,
      name: "substrate_links.unlink",
      title: "Unlink an app from the substrate",
      summary:
        "Ends the app's use of the organisation's memory within a second. What it wrote stays; its read scope is forgotten, so only a person who may administer the organisation unlinks an app that has one.",
      input: z.object({ app_id: appId }),
      right: "develop",
      risk: "destructive",
      audit: {
        category: "admin",
        action: "delete",
        resourceType: "substrate_link",
        resourceId: (i) => i.app_id,
      },
      http: { method: "DELETE", path: "/v1/me/apps/:app_id/substrate-link" },
      mcp: { tool: "manage_app", action: "unlink_substrate" },
      async run(call) {
        const row = await links.get(call.app.id);
        // Unlinking and linking again would otherwise be a way around the scope.
        if (row !== null && Object.keys(row.read_scope).length > 0) refuseScope(call);
        await links.unlink(call.app.id);
        return present(call.app.id, null);
      },
    }),
    appOperation({
      ...shared,
      name: "substrate_links.autopropagate",
      title: "Mirror an app's users",
      summary:
        "Whether people who sign up in the app, verify their address or are deleted are proposed to the organisation's memory as person entities.",
      input: z.object({ app_id: appId, users: z.boolean().describe("Mirror users from now on") }),
      right: "develop",
      risk: "write",
      errors: ["SUBSTRATE_NOT_LINKED"],
      audit: {
        category: "admin",
        action: "update",
        resourceType: "substrate_link",
        resourceId: (i) => i.app_id,
      },
      http: { method: "PUT", path: "/v1/me/apps/:app_id/substrate-autopropagate" },
      mcp: { tool: "manage_app", action: "set_substrate_autopropagate" },
      async run(call, input) {
        return present(call.app.id, await links.mirror(call.app.id, input.users));
      },
    }),
  ];
}
