import type { Transaction } from "../../engines/postgres/database.ts";
import { newSortableId } from "../../kernel/ids.ts";
import { insertConflicts } from "./conflict-store.ts";
import { approvalFields, type SubstrateContext } from "./context.ts";
import { cut } from "./cut.ts";
import { actionEntry, actorOfProposer } from "./entries.ts";
import { execute, recordChanges } from "./execute.ts";
import { limits } from "./limits.ts";
import type { ParsedProposal } from "./payload.ts";
import { insertAction, type NewAction, type ProposalFacts } from "./store.ts";
import type { Proposal, ProposeAnswer, Proposer, Verdict } from "./types.ts";
import { approversOf } from "./verdict.ts";

/** A proposal with its verdict. */
export interface Judged {
  readonly proposer: Proposer;
  readonly proposal: Proposal;
  readonly parsed: ParsedProposal;
  readonly facts: ProposalFacts;
  readonly verdict: Verdict;
  readonly hash: string;
  readonly nowMs: number;
}

/** Does what the verdict says and writes it down: the action, its conflicts, its entry in the ledger; all in `tx`. */
export async function settle(
  context: SubstrateContext,
  tx: Transaction,
  judged: Judged,
): Promise<ProposeAnswer> {
  const { platform } = context;
  const { proposal, verdict, nowMs } = judged;
  const actionId = newSortableId("act", nowMs);
  const ended = await carryOut(context, tx, judged, actionId);
  await insertAction(tx, { ...newAction(context, tx, judged, actionId, ended), ...ended });
  if (verdict.conflicts.length > 0) {
    const settled = verdict.result === "rejected";
    await insertConflicts(
      tx,
      { organizationId: proposal.organizationId, id: actionId, at: new Date(nowMs), settled },
      verdict.conflicts.map((conflict) => ({ ...conflict, id: newSortableId("con", nowMs) })),
    );
  }
  return {
    action_id: actionId,
    verdict,
    requires_approval: ended.status === "proposed",
    ...(ended.result === null ? {} : { result: ended.result }),
    ...(ended.approval_id === null ? {} : approvalFields(platform, ended.approval_id)),
  };
}

/** What of an action's row tells how far it came. */
type Ended = Pick<
  NewAction,
  | "status"
  | "result"
  | "changes"
  | "changes_count"
  | "approval_id"
  | "rejected_reason"
  | "executed_at"
  | "decided_at"
>;

const UNTOUCHED = {
  ...{ result: null, changes: [], changes_count: 0, approval_id: null },
  ...{ rejected_reason: null, executed_at: null, decided_at: null },
};

async function carryOut(
  context: SubstrateContext,
  tx: Transaction,
  judged: Judged,
  actionId: string,
): Promise<Ended> {
  const { proposer, proposal, parsed, facts, verdict, nowMs } = judged;
  const { organizationId } = proposal;
  const { name, title } = parsed.capability;
  const now = new Date(nowMs);
  if (verdict.result === "rejected") {
    return { ...UNTOUCHED, status: "rejected", rejected_reason: verdict.reason, decided_at: now };
  }
  if (verdict.result === "requires_approval") {
    const { kind: type, id, accountId, label } = proposer;
    const request = {
      ...{ organizationId, kind: "substrate_action" as const, subject: actionId },
      ...{ title: `${title} (${name})`, reason: verdict.reason, approvers: approversOf(facts.policy) },
      requester: { type, id, accountId, label: cut(label, limits.labelChars) },
      request: { capability: name, payload: parsed.payload },
    };
    const approvalId = await context.approvals.request(tx, request, nowMs);
    return { ...UNTOUCHED, status: "proposed", approval_id: approvalId };
  }
  const work = { organizationId, actionId, sourceAppId: proposer.sourceAppId, nowMs };
  const done = await execute(context, tx, { ...work, capability: name, payload: parsed.payload });
  const { changes, changesCount } = recordChanges(done.changes);
  return {
    ...UNTOUCHED,
    ...{ status: "executed", result: done.result, changes, changes_count: changesCount },
    ...{ executed_at: now, decided_at: now },
  };
}

/** The rest of the row, and the ledger's entry that goes with it. */
function newAction(
  { ledger }: SubstrateContext,
  tx: Transaction,
  { proposer, proposal, parsed, verdict, hash, nowMs }: Judged,
  actionId: string,
  ended: Ended,
): Omit<NewAction, keyof Ended> {
  const { organizationId } = proposal;
  const { name } = parsed.capability;
  const entry = actionEntry({
    ...{ what: ended.status, organizationId, appId: proposer.sourceAppId, actionId },
    actor: actorOfProposer(proposer),
    data: {
      ...{ capability: name, verdict: verdict.result, approval: ended.approval_id },
      principles: verdict.conflicts.map(({ principle_id }) => principle_id),
      ...{ rule: proposer.sourceRuleId, records_changed: ended.changes_count },
    },
    sealed: {
      ...{ payload: parsed.payload, result: ended.result, reason: verdict.reason },
      ...{ proposer: proposer.label, trigger_context: proposal.triggerContext },
    },
  });
  return {
    ...{ organization_id: organizationId, id: actionId, capability: name, payload: parsed.payload, verdict },
    ...{ proposer_kind: proposer.kind, proposer_id: proposer.id, proposer_account_id: proposer.accountId },
    ...{ proposer_label: cut(proposer.label, limits.labelChars), source_app_id: proposer.sourceAppId },
    ...{ source_rule_id: proposer.sourceRuleId, trigger_context: proposal.triggerContext ?? null },
    ...{ idempotency_key: proposal.idempotencyKey ?? null, payload_hash: hash },
    ...{ ledger_entry_id: ledger.append(tx, entry), proposed_at: new Date(nowMs) },
  };
}
