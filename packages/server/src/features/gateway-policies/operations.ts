import { z } from "zod";
import { organizationKeyOf } from "../../kernel/access.ts";
import { type AnyOperation, type Call, platformOperation } from "../../kernel/operation.ts";
import type { GatewayPolicies } from "./service.ts";
import type { Author, Written } from "./types.ts";
import { documentField, policyId, policyName, serverRef, writtenShape } from "./wire.ts";

const tool = "manage_gateway";
const base = "/v1/gateway/policies";

const authorOf = (call: Call): Author => organizationKeyOf(call);

const toWritten = ({ policyId: policy_id, version, warnings }: Written) => ({
  policy_id,
  version,
  warnings: [...warnings],
});

/** Writing policies: only people do. */
export function policyOperations(service: GatewayPolicies): AnyOperation[] {
  const writing = { right: "policy", personOnly: true, risk: "write" } as const;
  return [
    platformOperation({
      ...writing,
      name: "gateway.create_policy",
      title: "Create a policy",
      summary:
        "Saves a policy document for a server, as version 1, under a name of its own there. It decides nothing until a grant has it. A document that is not valid is refused with all its problems.",
      input: z.object({ server_id: serverRef, name: policyName, document: documentField }),
      output: writtenShape,
      idempotent: false,
      errors: ["POLICY_INVALID", "RESOURCE_NOT_FOUND", "RESOURCE_ALREADY_EXISTS", "QUOTA_GATEWAY_POLICIES"],
      audit: {
        ...{ category: "admin", action: "create", resourceType: "gateway_policy" },
        resourceId: (input) => input.name,
      },
      http: { method: "POST", path: "/v1/gateway/servers/:server_id/policies", status: 201 },
      mcp: { tool, action: "create_policy" },
      async run(call, { server_id, ...policy }) {
        const by = authorOf(call);
        const server = await service.server(by.organizationId, server_id);
        return toWritten(await service.create(by, server, policy, call.nowMs));
      },
    }),
    platformOperation({
      ...writing,
      name: "gateway.update_policy",
      title: "Edit a policy",
      summary:
        "Replaces a policy's document with the next version, which holds from the next call on for every grant that has it. The same document again makes no version. With expected_version an edit in between is refused instead of overwritten.",
      input: z.object({
        policy_id: policyId,
        document: documentField,
        expected_version: z.coerce
          .number()
          .int()
          .min(1)
          .optional()
          .describe("The version this edit was made from; refused when another one holds"),
      }),
      output: writtenShape,
      overwrites: true,
      idempotent: true,
      errors: [
        ...["POLICY_INVALID", "RESOURCE_NOT_FOUND"],
        ...["GATEWAY_POLICY_CHANGED", "QUOTA_GATEWAY_POLICY_VERSIONS"],
      ],
      audit: {
        ...{ category: "admin", action: "update", resourceType: "gateway_policy" },
        resourceId: (input) => input.policy_id,
      },
      http: { method: "PUT", path: `${base}/:policy_id` },
      mcp: { tool, action: "update_policy" },
      async run(call, { policy_id, document, expected_version = null }) {
        const edit = { document, expectedVersion: expected_version };
        return toWritten(await service.update(authorOf(call), policy_id, edit, call.nowMs));
      },
    }),
    platformOperation({
      ...writing,
      name: "gateway.delete_policy",
      title: "Delete a policy",
      summary:
        "Deletes a policy that no live grant has. What it said stays on record: its versions can still be read, and used for replay.",
      input: z.object({ policy_id: policyId }),
      output: z.object({ deleted: z.literal(true), policy_id: z.string() }),
      risk: "destructive",
      idempotent: false,
      errors: ["RESOURCE_NOT_FOUND", "GATEWAY_POLICY_IN_USE"],
      audit: {
        ...{ category: "admin", action: "delete", resourceType: "gateway_policy" },
        resourceId: (input) => input.policy_id,
      },
      http: { method: "DELETE", path: `${base}/:policy_id` },
      mcp: { tool, action: "delete_policy" },
      async run(call, { policy_id }) {
        await service.remove(organizationKeyOf(call).organizationId, policy_id, call.nowMs);
        return { deleted: true as const, policy_id };
      },
    }),
  ];
}
