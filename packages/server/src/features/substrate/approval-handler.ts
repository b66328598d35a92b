import type { Transaction } from "../../engines/postgres/database.ts";
import type { Approval, ApprovalDecision, ApprovalHandler } from "../approvals/service.ts";
import type { JsonObject, LedgerActor } from "../ledger/service.ts";
import { resolveConflicts } from "./conflict-store.ts";
import type { SubstrateContext } from "./context.ts";
import { actionEntry } from "./entries.ts";
import { substrateErrors } from "./errors.ts";
import { execute, recordChanges } from "./execute.ts";
import { parsePayload } from "./payload.ts";
import { previewWaiting } from "./preview.ts";
import { type ActionRow, type Ending, endAction, lockActions, selectFacts } from "./store.ts";

/** What the inbox does with actions that wait in it. */
export function createApprovalHandler(context: SubstrateContext): ApprovalHandler {
  return {
    kind: "substrate_action",
    preview: ({ organizationId, subject }) => previewWaiting(context, organizationId, subject),
    async approved(tx, approval, by) {
      const action = await waitingAction(tx, approval);
      const { organizationId } = approval;
      if (action.erased_at !== null) throw substrateErrors.CONTENT_ERASED();
      // The rules may have changed while it waited; principles have not to be asked again, a person has decided.
      const { policy } = await selectFacts(tx, organizationId, action.capability, null);
      if (policy?.mode === "forbidden") {
        throw substrateErrors.CAPABILITY_FORBIDDEN({
          message: `An owner has forbidden ${action.capability} since it was proposed.`,
        });
      }
      const { payload } = parsePayload(context.memory, action.capability, action.payload);
      const { result, changes } = await execute(context, tx, {
        ...{ organizationId, actionId: action.id, sourceAppId: action.source_app_id },
        ...{ nowMs: by.at.getTime(), capability: action.capability, payload },
      });
      const ending = { status: "executed" as const, at: by.at, result, ...recordChanges(changes) };
      await end(context, tx, approval, action, by, { ...ending, approvedBy: by.accountId });
      return result;
    },
    async failed(tx, approval, error) {
      const action = await waitingAction(tx, approval);
      const by = lastApproval(approval);
      const at = by?.at ?? new Date(context.platform.clock());
      const { code, message } = error;
      await end(context, tx, approval, action, by, {
        ...{ status: "failed", at, error: { code, message } },
        ...(by === null ? {} : { approvedBy: by.accountId }),
      });
    },
    async rejected(tx, approval, by) {
      const action = await waitingAction(tx, approval);
      const rejectedReason = by.reason ?? "Rejected without a reason.";
      await end(context, tx, approval, action, by, { status: "rejected", at: by.at, rejectedReason });
    },
    async expired(tx, approval) {
      const action = await waitingAction(tx, approval);
      const at = new Date(Math.max(approval.expiresAt.getTime(), action.proposed_at.getTime()));
      const rejectedReason = "It expired: nobody decided in time.";
      await end(context, tx, approval, action, null, { status: "rejected", at, rejectedReason });
    },
  };
}

/** The action behind an approval, locked. Throws wrong_status when it waits no more. */
async function waitingAction(tx: Transaction, { organizationId, subject }: Approval): Promise<ActionRow> {
  const [action] = await lockActions(tx, organizationId, [subject]);
  if (action?.status === "proposed") return action;
  throw substrateErrors.wrong_status({
    message: `The action ${subject} is ${action?.status ?? "gone"}.`,
    details: { action_id: subject, status: action?.status ?? null },
  });
}

const lastApproval = ({ decisions }: Approval): ApprovalDecision | null =>
  decisions.findLast(({ decision }) => decision === "approve") ?? null;

/** Writes down how a waiting action ended: its row, its conflicts, its entry in the ledger. */
async function end(
  { ledger }: SubstrateContext,
  tx: Transaction,
  { id: approvalId, organizationId }: Approval,
  action: ActionRow,
  by: ApprovalDecision | null,
  ending: Ending,
): Promise<void> {
  await endAction(tx, organizationId, action.id, ending);
  await resolveConflicts(
    tx,
    organizationId,
    { actionId: action.id },
    {
      ...{ resolution: ending.status === "rejected" ? "reject" : "approve", at: ending.at },
      ...{ reason: by === null ? (ending.rejectedReason ?? null) : by.reason, by: by?.accountId ?? null },
    },
  );
  const { error } = ending;
  const data: JsonObject = {
    ...{ capability: action.capability, verdict: action.verdict.result, approval: approvalId },
    ...{ records_changed: ending.changesCount ?? 0, rule: action.source_rule_id, expired: by === null },
    ...(error === undefined ? {} : { code: error.code }),
  };
  const entry = actionEntry({
    ...{ what: ending.status, organizationId, appId: action.source_app_id, actionId: action.id, data },
    actor: deciderActor(by),
    sealed: { result: ending.result, error: error?.message, reason: by?.reason ?? ending.rejectedReason },
  });
  ledger.append(tx, entry);
}

const deciderActor = (by: ApprovalDecision | null): LedgerActor =>
  by === null ? { type: "system", id: null } : { type: "person", id: by.keyId, account: by.accountId };
