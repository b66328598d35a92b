import { z } from "zod";
import type { Platform } from "../../engines/platform.ts";
import { decideAccess, organizationKeyOf } from "../../kernel/access.ts";
import { type AnyOperation, type Call, platformOperation } from "../../kernel/operation.ts";
import type { GatewayGrants } from "./service.ts";
import {
  expiresAt,
  grantId,
  issuedShape,
  label,
  policyId,
  proxyUrl,
  serverRef,
  shownShape,
  shownView,
} from "./wire.ts";

const tool = "manage_gateway";
const base = "/v1/gateway/grants";

const audited = { category: "admin", resourceType: "gateway_grant" } as const;
const ofGrant = { resourceId: (input: { grant_id: string }) => input.grant_id };
const MAKING = [
  ...["RESOURCE_NOT_FOUND", "RESOURCE_ALREADY_EXISTS"],
  ...["GATEWAY_POLICY_OF_ANOTHER_SERVER", "GATEWAY_GRANT_EXPIRY_PAST"],
];

const ms = (time: string | null | undefined) => (time == null ? time : Date.parse(time));

/** Who may do more than attach policies: throws AUTH_INSUFFICIENT_PERMISSIONS for everyone else. */
function demandAdministrator(call: Call): void {
  const refusal = decideAccess({
    ...{ principal: call.principal, right: "administer", personOnly: true },
    ...{ app: null, organizationId: null, nowMs: call.nowMs },
  });
  if (refusal !== null) throw refusal;
}

/** Changing grants: only people do. */
export function grantOperations(
  { publicUrl }: Pick<Platform, "publicUrl">,
  service: GatewayGrants,
): AnyOperation[] {
  const issued = ({ grantId: grant_id, serverId, token }: Awaited<ReturnType<GatewayGrants["rotate"]>>) => ({
    ...{ grant_id, token },
    proxy_url: proxyUrl(publicUrl(), serverId),
  });
  const shown = async (call: Call, id: string) => {
    const { organizationId } = organizationKeyOf(call);
    const at = { nowMs: call.nowMs, publicUrl: publicUrl() };
    return shownView(await service.show(organizationId, id, call.nowMs), at);
  };
  return [
    platformOperation({
      name: "gateway.create_grant",
      title: "Create a grant",
      summary:
        "Makes a bearer token for one server, with at most one policy of it; without a policy every call is denied. The token is in the answer, once: it goes with proxy_url into the MCP client's configuration.",
      input: z.object({
        server_id: serverRef,
        label,
        policy_id: policyId.nullish(),
        expires_at: expiresAt.nullish(),
      }),
      output: issuedShape,
      right: "administer",
      personOnly: true,
      risk: "write",
      idempotent: false,
      errors: [...MAKING, "QUOTA_GATEWAY_GRANTS"],
      audit: { ...audited, action: "create", resourceId: (input) => input.label },
      http: { method: "POST", path: "/v1/gateway/servers/:server_id/grants", status: 201 },
      mcp: { tool, action: "create_grant" },
      async run(call, input) {
        const key = organizationKeyOf(call);
        const server = await service.server(key.organizationId, input.server_id);
        const grant = {
          label: input.label,
          policyId: input.policy_id ?? null,
          expiresAtMs: ms(input.expires_at) ?? null,
        };
        return issued(await service.create(key, server, grant, call.nowMs));
      },
    }),
    platformOperation({
      name: "gateway.rotate_grant",
      title: "Rotate a grant",
      summary:
        "Gives a grant another token, shown once. The one there was is dead at once, on open streams too.",
      input: z.object({ grant_id: grantId }),
      output: issuedShape,
      right: "administer",
      personOnly: true,
      risk: "write",
      overwrites: true,
      idempotent: false,
      errors: ["RESOURCE_NOT_FOUND"],
      audit: { ...audited, ...ofGrant, action: "update" },
      http: { method: "POST", path: `${base}/:grant_id/rotate` },
      mcp: { tool, action: "rotate_grant" },
      run: async (call, { grant_id }) =>
        issued(await service.rotate(organizationKeyOf(call).organizationId, grant_id, call.nowMs)),
    }),
    platformOperation({
      name: "gateway.update_grant",
      title: "Change a grant",
      summary:
        "Changes a grant's policy, label or expiry, from the next call on; its token stays. What is left out stays as it is. The label and the expiry are for administrators.",
      input: z.object({
        grant_id: grantId,
        policy_id: policyId
          .nullable()
          .optional()
          .describe("A policy of the same server; null: deny everything"),
        label: label.optional(),
        expires_at: expiresAt.nullable().optional().describe("A time to come; null: never"),
      }),
      output: shownShape,
      right: "policy",
      personOnly: true,
      risk: "write",
      overwrites: true,
      idempotent: true,
      errors: MAKING,
      audit: { ...audited, ...ofGrant, action: "update" },
      http: { method: "PATCH", path: `${base}/:grant_id` },
      mcp: { tool, action: "update_grant" },
      async run(call, { grant_id, policy_id, label: name, expires_at }) {
        if (name !== undefined || expires_at !== undefined) demandAdministrator(call);
        const change = { policyId: policy_id, label: name, expiresAtMs: ms(expires_at) };
        await service.update(organizationKeyOf(call).organizationId, grant_id, change, call.nowMs);
        return shown(call, grant_id);
      },
    }),
    platformOperation({
      name: "gateway.attach_policy",
      title: "Attach a policy to a grant",
      summary:
        "Gives a grant another policy of its server, from the next call on; with null every call is denied.",
      input: z.object({
        grant_id: grantId,
        policy_id: policyId.nullable().describe("A policy of the same server; null: deny everything"),
      }),
      output: shownShape,
      right: "policy",
      personOnly: true,
      risk: "write",
      overwrites: true,
      idempotent: true,
      errors: ["RESOURCE_NOT_FOUND", "GATEWAY_POLICY_OF_ANOTHER_SERVER"],
      audit: { ...audited, ...ofGrant, action: "update" },
      http: { method: "PUT", path: `${base}/:grant_id/policy` },
      mcp: { tool, action: "attach_policy" },
      async run(call, { grant_id, policy_id }) {
        const { organizationId } = organizationKeyOf(call);
        await service.update(organizationId, grant_id, { policyId: policy_id }, call.nowMs);
        return shown(call, grant_id);
      },
    }),
    platformOperation({
      name: "gateway.revoke_grant",
      title: "Revoke a grant",
      summary: "Ends a grant for good: its token opens nothing any more, and streams that are open end.",
      input: z.object({ grant_id: grantId }),
      output: z.object({ revoked: z.literal(true), grant_id: z.string() }),
      right: "administer",
      personOnly: true,
      risk: "destructive",
      idempotent: false,
      errors: ["RESOURCE_NOT_FOUND"],
      audit: { ...audited, ...ofGrant, action: "delete" },
      http: { method: "DELETE", path: `${base}/:grant_id` },
      mcp: { tool, action: "revoke_grant" },
      async run(call, { grant_id }) {
        await service.revoke(organizationKeyOf(call).organizationId, grant_id, call.nowMs);
        return { revoked: true as const, grant_id };
      },
    }),
  ];
}
