import type { Transaction } from "../../engines/postgres/database.ts";
import { errors } from "../../kernel/errors.ts";
import { newSortableId } from "../../kernel/ids.ts";
import { approvalLimits } from "../approvals/service.ts";
import { draftOf } from "../gateway-decisions/service.ts";
import type { JsonObject } from "../ledger/service.ts";
import type { HoldsContext } from "./context.ts";
import { limits } from "./limits.ts";
import * as store from "./store.ts";
import type { HeldCall } from "./types.ts";

interface Waiting {
  readonly approvalId: string;
  readonly expiresAt: Date;
}

/** See `GatewayHoldsService.hold`. */
export async function putIn(context: HoldsContext, call: HeldCall, nowMs: number): Promise<Waiting> {
  const settings = await context.approvals.settings(call.organizationId);
  const waitMs = settings.expiresAfterMs ?? approvalLimits.expiresMs;
  for (let left = limits.holdTries; left > 0; left--) {
    const held = await context.platform.database.transaction(async (tx) => {
      const made = await insert(context, tx, call, nowMs, waitMs);
      if (made !== null) return made;
      const other = await store.selectOfCall(tx, call.key);
      // It ended between the two statements: this one has its turn.
      if (other === null || other.ended_at !== null) return null;
      await context.quotas.giveBackIn(tx, call.reservations);
      context.ledger.append(
        tx,
        draftOf({ ...call.decision, approvalId: other.approval_id }, context.argumentSeal),
      );
      return { approvalId: other.approval_id, expiresAt: other.expires_at };
    });
    if (held !== null) return held;
  }
  throw errors.DATABASE_UNAVAILABLE({ message: "The same call is being decided on over and over." });
}

/** The hold, its approval and its decision; null when the same call is there already. */
async function insert(
  context: HoldsContext,
  tx: Transaction,
  call: HeldCall,
  nowMs: number,
  waitMs: number,
): Promise<Waiting | null> {
  const id = newSortableId("hld", nowMs);
  const expiresAt = new Date(nowMs + waitMs);
  const inserted = await store.insertHold(
    tx,
    {
      id,
      organization_id: call.organizationId,
      grant_id: call.grant.id,
      server_id: call.server.id,
      tool: call.tool,
      call_key: call.key,
      policy_id: call.policyId,
      policy_version: call.policyVersion,
      rule: call.rule,
      reservations: call.reservations,
      expires_at: expiresAt,
    },
    new Date(nowMs),
  );
  if (!inserted) return null;
  const approvalId = await context.approvals.request(
    tx,
    {
      ...{ organizationId: call.organizationId, kind: "tool_call", subject: id, approvers: 1 },
      title: `Call ${cut(call.tool, limits.titleToolChars)} on ${cut(call.server.name, limits.titleServerChars)}`,
      reason: cut(call.message === null ? call.rule : `${call.message} (${call.rule})`, limits.reasonChars),
      requester: {
        ...{ type: "grant", id: call.grant.id, accountId: call.grant.accountId },
        label: cut(call.grant.label, approvalLimits.labelChars),
      },
      request: requestOf(call),
      expiresInMs: waitMs,
    },
    nowMs,
  );
  await store.setApproval(tx, id, approvalId);
  context.ledger.append(tx, draftOf({ ...call.decision, approvalId }, context.argumentSeal));
  tx.beforeCommit(async () => context.count("held"));
  return { approvalId, expiresAt };
}

/** What a person is shown. */
const requestOf = (call: HeldCall): JsonObject => ({
  tool: call.tool,
  server: call.server.name,
  arguments: call.args as JsonObject,
  rule: call.rule,
  policy: call.policyId,
  policy_version: call.policyVersion,
  ...(call.risk === null ? {} : { risk: call.risk as JsonObject }),
});

/** A text of at most `chars` characters, whole ones. */
function cut(text: string, chars: number): string {
  if (text.length <= chars) return text;
  const kept = text.slice(0, chars - 1);
  return `${kept.isWellFormed() ? kept : kept.slice(0, -1)}…`;
}
