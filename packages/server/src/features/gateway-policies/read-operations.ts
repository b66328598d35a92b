import { z } from "zod";
import { organizationKeyOf } from "../../kernel/access.ts";
import { type AnyOperation, platformOperation } from "../../kernel/operation.ts";
import { limits } from "./limits.ts";
import type { GatewayPolicies } from "./service.ts";
import {
  documentField,
  listedShape,
  listedView,
  policyId,
  problems,
  serverRef,
  shownShape,
  shownView,
  versionDocumentShape,
  versionDocumentView,
  versionsShape,
  versionView,
} from "./wire.ts";

const tool = "manage_gateway";
const base = "/v1/gateway/policies";

const as = z
  .enum(["object", "text"])
  .default("object")
  .describe("text: the document exactly as it was written, as a string");
const limit = z.coerce.number().int().min(1).max(limits.listed).default(limits.defaultListed);

/** Reading policies, and trying documents. */
export function policyReadOperations(service: GatewayPolicies): AnyOperation[] {
  const reading = { right: "view", risk: "read", idempotent: true } as const;
  return [
    platformOperation({
      ...reading,
      name: "gateway.validate_policy",
      title: "Validate a policy document",
      summary:
        "Every problem and every warning of a policy document, without saving it. With server_id also what the server's tools tell: names it does not have.",
      input: z.object({ document: documentField, server_id: serverRef.optional() }),
      output: z.object({ valid: z.boolean(), problems, warnings: problems }),
      errors: ["RESOURCE_NOT_FOUND"],
      http: { method: "POST", path: `${base}/validate` },
      mcp: { tool, action: "validate_policy" },
      async run(call, { document, server_id = null }) {
        const { organizationId } = organizationKeyOf(call);
        const { valid, problems: found, warnings } = await service.look(organizationId, document, server_id);
        return { valid, problems: [...found], warnings: [...warnings] };
      },
    }),
    platformOperation({
      ...reading,
      name: "gateway.list_policies",
      title: "List policies",
      summary:
        "The organisation's policies, newest first, a page at a time; those of one server with server_id.",
      input: z.object({
        server_id: serverRef.optional(),
        limit,
        before: policyId.optional().describe("next_before of the page before"),
      }),
      output: z.object({ policies: z.array(listedShape), next_before: z.string().nullable() }),
      errors: ["RESOURCE_NOT_FOUND"],
      http: [
        { method: "GET", path: base },
        { method: "GET", path: "/v1/gateway/servers/:server_id/policies" },
      ],
      mcp: { tool, action: "list_policies" },
      async run(call, input) {
        const { organizationId } = organizationKeyOf(call);
        const server =
          input.server_id === undefined ? null : await service.server(organizationId, input.server_id);
        const rows = await service.list(organizationId, {
          serverId: server?.id ?? null,
          before: input.before ?? null,
          limit: input.limit,
        });
        return {
          policies: rows.map(listedView),
          next_before: rows.length < input.limit ? null : rows.at(-1)!.id,
        };
      },
    }),
    platformOperation({
      ...reading,
      name: "gateway.get_policy",
      title: "Get a policy",
      summary: "A policy's document as it holds now, its version, its warnings, and the grants that have it.",
      input: z.object({ policy_id: policyId, as }),
      output: shownShape,
      errors: ["RESOURCE_NOT_FOUND"],
      http: { method: "GET", path: `${base}/:policy_id` },
      mcp: { tool, action: "get_policy" },
      run: async (call, input) =>
        shownView(await service.show(organizationKeyOf(call).organizationId, input.policy_id), input.as),
    }),
    platformOperation({
      ...reading,
      name: "gateway.list_policy_versions",
      title: "List a policy's versions",
      summary:
        "Every version of a policy, newest first, a page at a time: when, by whom, and the document's SHA-256.",
      input: z.object({
        policy_id: policyId,
        limit,
        before: z.coerce
          .number()
          .int()
          .min(1)
          .max(limits.versions)
          .optional()
          .describe("next_before of the page before"),
      }),
      output: z.object({ versions: versionsShape, next_before: z.number().int().nullable() }),
      errors: ["RESOURCE_NOT_FOUND"],
      http: { method: "GET", path: `${base}/:policy_id/versions` },
      mcp: { tool, action: "list_policy_versions" },
      async run(call, input) {
        const { organizationId } = organizationKeyOf(call);
        const rows = await service.versions(
          organizationId,
          input.policy_id,
          input.before ?? null,
          input.limit,
        );
        return {
          versions: rows.map(versionView),
          next_before: rows.length < input.limit ? null : rows.at(-1)!.version,
        };
      },
    }),
    platformOperation({
      ...reading,
      name: "gateway.get_policy_version",
      title: "Get a policy's version",
      summary: "The document that held as this version, as it was written. Versions never change.",
      input: z.object({
        policy_id: policyId,
        version: z.coerce.number().int().min(1).max(limits.versions),
        as,
      }),
      output: versionDocumentShape,
      errors: ["RESOURCE_NOT_FOUND"],
      http: { method: "GET", path: `${base}/:policy_id/versions/:version` },
      mcp: { tool, action: "get_policy_version" },
      async run(call, input) {
        const { organizationId } = organizationKeyOf(call);
        const row = await service.written(organizationId, input.policy_id, input.version);
        return versionDocumentView(row, input.as);
      },
    }),
  ];
}
