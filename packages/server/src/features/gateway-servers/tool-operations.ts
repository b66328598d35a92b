import { suggestPolicy } from "@ambit/policy";
import { z } from "zod";
import { organizationKeyOf } from "../../kernel/access.ts";
import { type AnyOperation, platformOperation } from "../../kernel/operation.ts";
import { limits } from "./limits.ts";
import { BASE, server_id, tool } from "./operations.ts";
import type { GatewayServers } from "./service.ts";
import { changeShape, changeSummary, changeView, scannedTool, scannedView, summaryView } from "./views.ts";

const toolName = z.string().min(1).max(limits.toolNameChars);
const audited = {
  category: "admin",
  resourceType: "gateway_server",
  resourceId: (input: { server_id: string }) => input.server_id,
} as const;

/** `gateway.scan_server`, `list_tool_changes`, `approve_tools`. */
export function toolOperations(service: GatewayServers): AnyOperation[] {
  const { naming } = service;
  return [
    platformOperation({
      name: "gateway.scan_server",
      title: "Scan an MCP server",
      summary:
        "Lists the server's tools now: what each does and how dangerous that is, with the evidence; a policy to begin with; and what is new or different since it was approved. The first look at a server approves what is there.",
      input: z.object({ server_id }),
      output: z.object({
        tools: z.array(scannedTool),
        suggested_policy: z.looseObject({ version: z.literal("1"), default: z.enum(["deny", "allow"]) }),
        changes: z
          .array(changeSummary)
          .describe("By name; list_tool_changes has the rest and the definitions"),
      }),
      right: "policy",
      risk: "write",
      idempotent: true,
      errors: [
        ...[
          "RESOURCE_NOT_FOUND",
          "GATEWAY_UPSTREAM_FAILED",
          "GATEWAY_TOOLS_UNREADABLE",
          "QUOTA_GATEWAY_TOOLS",
        ],
        ...["GATEWAY_SECRETS_LOST", "GATEWAY_COMMAND_NOT_ALLOWED"],
      ],
      audit: { ...audited, action: "invoke" },
      http: { method: "POST", path: `${BASE}/:server_id/scan` },
      mcp: { tool, action: "scan" },
      async run(call, input) {
        const entry = await naming.named(organizationKeyOf(call).organizationId, input.server_id);
        const tools = await service.scan(entry);
        const changes = await service.changes(entry, null, limits.listedChanges);
        return {
          tools: tools.map(scannedView),
          suggested_policy: { ...suggestPolicy(tools.map(({ definition }) => definition)) },
          changes: changes.map(summaryView),
        };
      },
    }),
    platformOperation({
      name: "gateway.list_tool_changes",
      title: "List changed tools",
      summary:
        "Tools of a server that are new or different since they were approved, by name, each as it was approved beside what it is now. Until a person approves them they are left out of lists and calls of them are denied.",
      input: z.object({
        server_id,
        limit: z.coerce.number().int().min(1).max(limits.listedChanges).default(limits.defaultListedChanges),
        after: toolName.optional().describe("next_after of the page before"),
      }),
      output: z.object({ changes: z.array(changeShape), next_after: z.string().nullable() }),
      right: "view",
      risk: "read",
      idempotent: true,
      errors: ["RESOURCE_NOT_FOUND"],
      http: { method: "GET", path: `${BASE}/:server_id/tool-changes` },
      mcp: { tool, action: "list_tool_changes" },
      async run(call, input) {
        const entry = await naming.named(organizationKeyOf(call).organizationId, input.server_id);
        const rows = await service.changes(entry, input.after ?? null, input.limit);
        return {
          changes: rows.map(changeView),
          next_after: rows.length < input.limit ? null : rows.at(-1)!.tool,
        };
      },
    }),
    platformOperation({
      name: "gateway.approve_tools",
      title: "Approve changed tools",
      summary:
        "A person's yes to tools as they were reviewed, all or none. Each is named with the hash that was reviewed (list_tool_changes); one that has changed again meanwhile is refused.",
      input: z.object({
        server_id,
        tools: z
          .array(
            z.object({
              name: toolName,
              hash: z.string().regex(/^[0-9a-f]{64}$/, "a hash of list_tool_changes"),
            }),
          )
          .min(1)
          .max(limits.approvedAtOnce)
          .refine(
            (tools) => new Set(tools.map((each) => each.name)).size === tools.length,
            "names a tool twice",
          ),
      }),
      output: z.object({
        approved: z.number().int().describe("How many were not approved before"),
        tools: z.array(z.string()),
      }),
      right: "policy",
      personOnly: true,
      risk: "write",
      overwrites: true,
      idempotent: true,
      errors: ["RESOURCE_NOT_FOUND", "GATEWAY_TOOL_CHANGED_AGAIN"],
      audit: { ...audited, action: "update" },
      http: { method: "POST", path: `${BASE}/:server_id/tool-changes/approve` },
      mcp: { tool, action: "approve_tools" },
      async run(call, input) {
        const key = organizationKeyOf(call);
        const entry = await naming.named(key.organizationId, input.server_id);
        const approved = await service.approve(entry, input.tools, key);
        return { approved, tools: input.tools.map((each) => each.name) };
      },
    }),
  ];
}
