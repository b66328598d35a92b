import { z } from "zod";
import { keyOf, organizationKeyOf } from "../../kernel/access.ts";
import { type AnyOperation, type Call, platformOperation } from "../../kernel/operation.ts";
import type { Conflicts } from "./conflicts.ts";
import type { SubstrateContext } from "./context.ts";
import { base, tool } from "./propose-operations.ts";
import { conflictView } from "./view.ts";
import { actionId, conflict, listLimit, reason } from "./wire.ts";

const reading = { right: "view", surface: "substrate", risk: "read", idempotent: true } as const;
const conflictId = z.string().min(1).max(64).describe("The conflict, con_…");

/** Proposals that a principle stood against. */
export function conflictOperations(context: SubstrateContext, conflicts: Conflicts): AnyOperation[] {
  const appOf = async (call: Call) => (await context.links.readerOf(keyOf(call))).scope?.appId ?? null;
  return [
    platformOperation({
      ...reading,
      name: "substrate.list_policy_conflicts",
      title: "List policy conflicts",
      summary: "Which proposals which principles stood against, and why, newest first.",
      input: z.object({
        status: z.enum(["open", "resolved"]).optional().describe("open: what nobody has decided yet"),
        action_id: actionId.optional().describe("Only those of this action"),
        limit: listLimit,
        before: conflictId.optional().describe("Only those older than this one"),
      }),
      output: z.object({ conflicts: z.array(conflict), next_before: z.string().nullable() }),
      http: { method: "GET", path: `${base}/policy-conflicts` },
      mcp: { tool, action: "list_policy_conflicts" },
      async run(call, { action_id: actionId, ...filter }) {
        const appId = (await appOf(call)) ?? undefined;
        const rows = await conflicts.list(keyOf(call).organizationId, { ...filter, actionId, appId });
        const last = rows.length === filter.limit ? rows.at(-1)?.id : null;
        return { conflicts: rows.map(conflictView), next_before: last ?? null };
      },
    }),
    platformOperation({
      ...reading,
      name: "substrate.get_policy_conflict",
      title: "Get a policy conflict",
      summary: "One proposal, one principle that stood against it, and why.",
      input: z.object({ conflict_id: conflictId }),
      output: conflict,
      errors: ["RESOURCE_NOT_FOUND"],
      http: { method: "GET", path: `${base}/policy-conflicts/:conflict_id` },
      mcp: { tool, action: "get_policy_conflict" },
      run: async (call, { conflict_id }) =>
        conflictView(await conflicts.get(keyOf(call).organizationId, conflict_id, await appOf(call))),
    }),
    platformOperation({
      name: "substrate.resolve_policy_conflict",
      title: "Resolve a policy conflict",
      summary:
        "A person's decision: approve or reject the action, which settles all its conflicts, or dismiss this one and leave the action waiting.",
      input: z.object({
        conflict_id: conflictId,
        resolution: z.enum(["approve", "reject", "dismiss"]),
        reason: reason.optional(),
      }),
      output: conflict,
      right: "policy",
      surface: "substrate",
      personOnly: true,
      risk: "execute",
      idempotent: false,
      errors: ["RESOURCE_NOT_FOUND", "wrong_status", "APPROVAL_TWICE"],
      audit: {
        ...{ category: "admin", action: "update", resourceType: "policy_conflict" },
        resourceId: (i) => i.conflict_id,
      },
      secretFields: ["reason"],
      http: { method: "POST", path: `${base}/policy-conflicts/:conflict_id/resolve` },
      mcp: { tool, action: "resolve_policy_conflict" },
      run: async (call, { conflict_id, resolution, reason = null }) =>
        conflictView(
          await conflicts.resolve(organizationKeyOf(call), conflict_id, { resolution, reason }, call.nowMs),
        ),
    }),
  ];
}
