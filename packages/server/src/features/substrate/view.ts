import type { Approval } from "../approvals/service.ts";
import type { JsonObject } from "../ledger/service.ts";
import type { ConflictRow } from "./conflict-store.ts";
import type { ActionRow } from "./store.ts";

const iso = (at: Date | null): string | null => at?.toISOString() ?? null;

/** An action as the wire has it. Pure. */
export function actionView(row: ActionRow): JsonObject {
  return {
    id: row.id,
    status: row.status,
    action_type: row.capability,
    capability: row.capability,
    payload: row.payload,
    verdict: row.verdict as unknown as JsonObject,
    result: row.result,
    error: row.error === null ? null : { ...row.error },
    changes: row.changes.map((each) => ({ ...each })),
    changes_count: row.changes_count,
    proposer: {
      kind: row.proposer_kind,
      id: row.proposer_id,
      account_id: row.proposer_account_id,
      label: row.proposer_label,
    },
    source_app_id: row.source_app_id,
    source_rule_id: row.source_rule_id,
    trigger_context: row.trigger_context,
    idempotency_key: row.idempotency_key,
    approval_id: row.approval_id,
    approved_by: row.approved_by,
    approved_by_kind: row.approved_by_kind,
    rejected_reason: row.rejected_reason,
    reverted_by: row.reverted_by,
    ledger_entry_id: row.ledger_entry_id,
    proposed_at: row.proposed_at.toISOString(),
    executed_at: iso(row.executed_at),
    decided_at: iso(row.decided_at),
    erased_at: iso(row.erased_at),
  };
}

/** What of an approval its action shows. Pure. */
export const approvalView = (approval: Approval, url: string): JsonObject => ({
  id: approval.id,
  status: approval.status,
  url,
  approvers: approval.approvers,
  created_at: approval.createdAt.toISOString(),
  expires_at: approval.expiresAt.toISOString(),
  decisions: approval.decisions.map(({ decision, accountId, reason, at }) => ({
    ...{ decision, account_id: accountId, reason, at: at.toISOString() },
  })),
});

/** A conflict as the wire has it. Pure. */
export const conflictView = (row: ConflictRow) => ({
  id: row.id,
  action_id: row.action_id,
  principle_id: row.principle_id,
  title: row.title,
  reason: row.reason,
  status: row.status,
  resolution: row.resolution,
  resolution_reason: row.resolution_reason,
  resolved_by: row.resolved_by,
  created_at: row.created_at.toISOString(),
  resolved_at: iso(row.resolved_at),
});
