import { z } from "zod";
import { keyOf, organizationKeyOf } from "../../kernel/access.ts";
import { type AnyOperation, type Call, platformOperation } from "../../kernel/operation.ts";
import { decideAction, noAction } from "./actions.ts";
import type { SubstrateContext } from "./context.ts";
import { base, tool } from "./propose-operations.ts";
import type { SubstrateService } from "./service.ts";
import { actionId, actionRow, capabilityName, listLimit, reason } from "./wire.ts";

const reading = { right: "view", surface: "substrate", risk: "read", idempotent: true } as const;
const deciding = {
  output: actionRow,
  right: "policy",
  surface: "substrate",
  personOnly: true,
  idempotent: false,
  errors: ["RESOURCE_NOT_FOUND", "wrong_status", "APPROVAL_TWICE"],
} as const;

/** Reading actions, and deciding on those that wait. */
export function actionOperations(context: SubstrateContext, service: SubstrateService): AnyOperation[] {
  /** Null: everything of the organisation; else only what this app proposed. */
  const appOf = async (call: Call) => (await context.links.readerOf(keyOf(call))).scope?.appId ?? null;
  return [
    platformOperation({
      ...reading,
      name: "substrate.list_actions",
      title: "List actions",
      summary: "What was proposed, newest first, with verdict and outcome.",
      input: z.object({
        status: z.enum(["proposed", "executed", "rejected", "failed"]).optional(),
        capability: capabilityName.optional(),
        source_app_id: z.string().max(64).optional().describe("Only what this app proposed"),
        source_rule_id: z.string().max(64).optional().describe("Only what this attention rule proposed"),
        limit: listLimit,
        before: actionId
          .optional()
          .describe("Only those older than this action: the last one of the page before"),
      }),
      output: z.object({ actions: z.array(actionRow), next_before: z.string().nullable() }),
      http: { method: "GET", path: `${base}/actions` },
      mcp: { tool, action: "list_actions" },
      async run(call, { source_app_id, source_rule_id, ...filter }) {
        const appId = await appOf(call);
        if (appId !== null && source_app_id !== undefined && source_app_id !== appId) {
          return { actions: [], next_before: null };
        }
        const actions = await service.actions(keyOf(call).organizationId, {
          ...filter,
          sourceAppId: appId ?? source_app_id,
          sourceRuleId: source_rule_id,
        });
        const last = actions.length === filter.limit ? actions.at(-1)?.id : null;
        return { actions, next_before: last ?? null } as never;
      },
    }),
    platformOperation({
      ...reading,
      name: "substrate.get_action",
      title: "Get an action",
      summary:
        "One action: what was proposed by whom, the verdict, its approval, what it changed, what undid it.",
      input: z.object({ action_id: actionId }),
      output: actionRow,
      errors: ["RESOURCE_NOT_FOUND"],
      http: { method: "GET", path: `${base}/actions/:action_id` },
      mcp: { tool, action: "get_action" },
      async run(call, { action_id }) {
        const action = await service.action(keyOf(call).organizationId, action_id, await appOf(call));
        if (action === null) throw noAction(action_id);
        return action as never;
      },
    }),
    platformOperation({
      ...deciding,
      name: "substrate.approve",
      title: "Approve an action",
      summary:
        "A person's yes to an action that waits; executed at once when it is the last one needed. status failed tells that executing went wrong, and error why.",
      input: z.object({ action_id: actionId }),
      risk: "execute",
      http: { method: "POST", path: `${base}/actions/:action_id/approve` },
      mcp: { tool, action: "approve", aliases: ["approve_action"] },
      run: async (call, { action_id }) =>
        (await decideAction(
          context,
          organizationKeyOf(call),
          action_id,
          { decision: "approve", reason: null },
          call.nowMs,
        )) as never,
    }),
    platformOperation({
      ...deciding,
      name: "substrate.reject",
      title: "Reject an action",
      summary: "A person's no to an action that waits, with the reason its proposer is told.",
      input: z.object({ action_id: actionId, reason: reason.optional().describe("Why not") }),
      risk: "write",
      http: { method: "POST", path: `${base}/actions/:action_id/reject` },
      mcp: { tool, action: "reject", aliases: ["reject_action"] },
      run: async (call, { action_id, reason = null }) =>
        (await decideAction(
          context,
          organizationKeyOf(call),
          action_id,
          { decision: "reject", reason },
          call.nowMs,
        )) as never,
    }),
  ];
}
