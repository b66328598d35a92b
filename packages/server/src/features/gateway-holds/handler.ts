import type { ApprovalHandler } from "../approvals/service.ts";
import type { JsonObject } from "../ledger/service.ts";
import { type HoldsContext, sealText } from "./context.ts";
import { gatewayHoldErrors } from "./errors.ts";
import { limits } from "./limits.ts";
import * as store from "./store.ts";

/**
 * What the inbox does with calls that wait in it: approving only marks a call as approved, its repetition runs it. What
 * ends it otherwise gives its quota back, in the same transaction.
 */
export function createCallHandler(context: HoldsContext): ApprovalHandler {
  const { platform, quotas } = context;
  return {
    kind: "tool_call",
    defers: true,
    async preview({ subject, request }): Promise<JsonObject> {
      const hold = await store.selectHold(platform.database, subject);
      if (hold?.status !== "pending") throw gatewayHoldErrors.GATEWAY_HOLD_ENDED();
      if (context.judge === null) throw new Error("nobody judges calls that wait");
      const args = request.arguments as JsonObject;
      const { grant_id: grantId, server_id: serverId, tool } = hold;
      const today = await context.judge({ grantId, serverId, tool, args });
      return {
        call: { server: request.server ?? null, tool, arguments: args },
        today: {
          outcome: today.outcome,
          rule: today.rule,
          message: today.message,
          policy_version: today.policyVersion,
        },
        risk: today.risk,
      };
    },
    async approved(tx, { subject }, by) {
      const until = new Date(by.at.getTime() + limits.approvedMs);
      const hold = await store.setApproved(tx, subject, until);
      if (hold === null) throw gatewayHoldErrors.GATEWAY_HOLD_ENDED();
      context.count("approved");
      const note = `The call runs, once, when it is made again as it was, until ${until.toISOString()}.`;
      return { status: "approved", note };
    },
    // It had ended before; whatever ended it has given its quota back.
    async failed() {},
    async rejected(tx, { subject }, by) {
      const reason = by.reason === null ? null : sealText(context, subject, by.reason);
      const hold = await store.setEnded(tx, subject, ["pending"], { status: "rejected", reason, at: by.at });
      if (hold === null) return;
      await quotas.giveBackIn(tx, hold.reservations);
      context.count("rejected");
    },
    async expired(tx, { subject }) {
      const at = new Date(platform.clock());
      const hold = await store.setEnded(tx, subject, ["pending"], { status: "expired", reason: null, at });
      if (hold === null) return;
      await quotas.giveBackIn(tx, hold.reservations);
      context.count("expired");
    },
  };
}
