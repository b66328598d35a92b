import { z } from "zod";
import type { Platform } from "../../engines/platform.ts";
import { organizationKeyOf } from "../../kernel/access.ts";
import { type AnyOperation, type Call, platformOperation } from "../../kernel/operation.ts";
import { limits } from "./limits.ts";
import type { ApprovalsService, Decision } from "./service.ts";
import { decided, kind, listed, shown, status, toDecided, toListed, toShown } from "./wire.ts";

const tool = "manage_approvals";
const base = "/v1/approvals";
const approvalId = z
  .string()
  .regex(/^apr_[0-9a-z]{26}$/, "must be an approval's id: apr_ and 26 characters")
  .describe("The approval; list shows the ids");

/** The inbox: what waits, and what people say to it. */
export function approvalOperations(
  { publicUrl }: Pick<Platform, "publicUrl">,
  service: ApprovalsService,
): AnyOperation[] {
  const decide = async (call: Call, id: string, decision: Decision) => {
    const approval = await service.decide(organizationKeyOf(call), { id }, decision, call.nowMs);
    return toDecided(approval, await service.people(approval), publicUrl());
  };
  const deciding = {
    output: decided,
    right: "policy",
    surface: "any",
    personOnly: true,
    idempotent: false,
  } as const;
  return [
    platformOperation({
      name: "approvals.list",
      title: "List approvals",
      summary: "What waits, or waited, for a person's decision, newest first, a page at a time.",
      input: z.object({
        status: status.optional().describe("pending: what waits now"),
        kind: kind.optional(),
        requester: z.string().max(200).optional().describe("Key, app, rule or account that asked"),
        capability: z.string().max(200).optional().describe("The capability or tool asked for"),
        limit: z.coerce.number().int().min(1).max(limits.pageRows).default(50),
        before: approvalId.optional().describe("next_before of the page before"),
      }),
      output: z.object({ approvals: z.array(listed), next_before: z.string().nullable() }),
      right: "view",
      surface: "any",
      risk: "read",
      idempotent: true,
      http: { method: "GET", path: base },
      mcp: { tool, action: "list" },
      async run(call, input) {
        const { approvals, people } = await service.list(organizationKeyOf(call), input);
        return {
          approvals: approvals.map((approval) => toListed(approval, people, publicUrl())),
          next_before: approvals.length === input.limit ? approvals.at(-1)!.id : null,
        };
      },
    }),
    platformOperation({
      name: "approvals.get",
      title: "Get an approval",
      summary:
        "Who asks, the exact arguments, why it waits, what approving now would change (computed by trying it), and whether this key may decide.",
      input: z.object({ approval_id: approvalId }),
      output: shown,
      right: "view",
      surface: "any",
      risk: "read",
      idempotent: true,
      errors: ["RESOURCE_NOT_FOUND"],
      http: { method: "GET", path: `${base}/:approval_id` },
      mcp: { tool, action: "get" },
      run: async (call, { approval_id }) =>
        toShown(await service.view(organizationKeyOf(call), approval_id, call.nowMs), publicUrl()),
    }),
    platformOperation({
      ...deciding,
      name: "approvals.approve",
      title: "Approve",
      summary:
        "A person's yes. When it is the last one needed, what waited is executed at once, exactly once; failure in the answer tells when that went wrong.",
      input: z.object({
        approval_id: approvalId,
        preview_hash: z
          .string()
          .max(64)
          .optional()
          .describe("From get: approve only if approving would still do the same"),
      }),
      risk: "execute",
      errors: ["wrong_status", "preview_changed", "APPROVAL_TWICE", "RESOURCE_NOT_FOUND"],
      http: { method: "POST", path: `${base}/:approval_id/approve` },
      mcp: { tool, action: "approve" },
      run: (call, { approval_id, preview_hash = null }) =>
        decide(call, approval_id, { decision: "approve", reason: null, previewHash: preview_hash }),
    }),
    platformOperation({
      ...deciding,
      name: "approvals.reject",
      title: "Reject",
      summary: "A person's no, with the reason the requester is told. One no ends it.",
      input: z.object({
        approval_id: approvalId,
        reason: z.string().trim().min(1).max(limits.reasonChars).describe("Why not"),
      }),
      risk: "write",
      errors: ["wrong_status", "APPROVAL_TWICE", "RESOURCE_NOT_FOUND"],
      http: { method: "POST", path: `${base}/:approval_id/reject` },
      mcp: { tool, action: "reject" },
      run: (call, { approval_id, reason }) => decide(call, approval_id, { decision: "reject", reason }),
    }),
  ];
}
