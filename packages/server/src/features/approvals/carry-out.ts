import { isConnectionLoss, type Transaction } from "../../engines/postgres/database.ts";
import { AmbitError } from "../../kernel/errors.ts";
import { entries } from "./entries.ts";
import { approvalErrors } from "./errors.ts";
import type { Workings } from "./inbox.ts";
import { limits } from "./limits.ts";
import { noticeDecided } from "./notices.ts";
import * as store from "./store.ts";
import type { Approval, ApprovalDecision, ApprovalHandler } from "./types.ts";

/** Writes down a decision that counts, and does what follows from it; all in `tx`. Returns the approval as it is then. */
export async function carryOut(
  workings: Workings,
  tx: Transaction,
  handler: ApprovalHandler,
  before: Approval,
  by: ApprovalDecision,
  status: "pending" | "approved" | "rejected",
): Promise<Approval> {
  await store.insertDecision(tx, before.id, by);
  const approval: Approval = {
    ...before,
    status,
    decidedAt: status === "pending" ? null : by.at,
    decisions: [...before.decisions, by],
  };
  workings.ledger.append(tx, entries.decided(approval, by));
  if (status === "pending") return approval;
  await store.updateStatus(tx, approval.id, status, by.at);
  let settled = approval;
  if (status === "approved") settled = await execute(workings, tx, handler, approval, by);
  else await handler.rejected(tx, approval, by);
  await noticeDecided(workings, tx, settled, by.at.getTime());
  return settled;
}

/** The approval's time is over: nothing is done, and that is written down. */
export async function expire(
  workings: Workings,
  tx: Transaction,
  handler: ApprovalHandler,
  before: Approval,
  nowMs: number,
): Promise<void> {
  const approval: Approval = { ...before, status: "expired", decidedAt: new Date(nowMs) };
  await store.updateStatus(tx, approval.id, "expired", approval.decidedAt!);
  await handler.expired(tx, approval);
  workings.ledger.append(tx, entries.expired(approval));
  await noticeDecided(workings, tx, approval, nowMs);
}

/** What waited went away. */
export async function takeBack(
  workings: Workings,
  tx: Transaction,
  before: Approval,
  nowMs: number,
): Promise<void> {
  const approval: Approval = { ...before, status: "cancelled", decidedAt: new Date(nowMs) };
  await store.updateStatus(tx, approval.id, "cancelled", approval.decidedAt!);
  workings.ledger.append(tx, entries.cancelled(approval));
  await noticeDecided(workings, tx, approval, nowMs);
}

async function execute(
  workings: Workings,
  tx: Transaction,
  handler: ApprovalHandler,
  approval: Approval,
  by: ApprovalDecision,
): Promise<Approval> {
  const outcome = await tryOut(tx, handler, approval, by);
  if (outcome instanceof AmbitError) {
    const failure = { code: outcome.code, message: outcome.message };
    await handler.failed(tx, approval, outcome);
    await store.updateOutcome(tx, approval.id, null, failure);
    workings.ledger.append(tx, entries.failed(approval, by, failure));
    return { ...approval, failure };
  }
  const sealed = outcome.result === null ? null : workings.envelope.seal(approval.id, outcome.result);
  await store.updateOutcome(tx, approval.id, sealed, null);
  if (handler.defers !== true) workings.ledger.append(tx, entries.executed(approval, by));
  return { ...approval, result: outcome.result };
}

/** Lets the handler do it; what it did is undone when it refuses, and the refusal is the answer. */
async function tryOut(
  tx: Transaction,
  handler: ApprovalHandler,
  approval: Approval,
  by: ApprovalDecision,
): Promise<{ result: Approval["result"] } | AmbitError> {
  try {
    return { result: boundedResult(await tx.nested((nested) => handler.approved(nested, approval, by))) };
  } catch (error) {
    const refusal = executionError(error);
    if (refusal === null) throw error;
    return refusal;
  }
}

/** A result too long to be kept here is named by its size; whoever executed it has it. */
function boundedResult(result: Approval["result"]): Approval["result"] {
  const bytes = result === null ? 0 : Buffer.byteLength(JSON.stringify(result));
  return bytes <= limits.resultBytes ? result : { omitted: true, bytes };
}

/** These say nothing of what was asked for: the decision is undone with it, and can be made again. */
const OF_THE_SERVER = new Set(["DATABASE_UNAVAILABLE", "INTERNAL_ERROR"]);
/** SQLSTATE classes that mean the data said no: bad values, broken constraints, an exception raised in SQL. */
const REFUSALS = /^(?:22|23|P0)/;

/** Why executing was refused; null for what is no refusal (a lost connection, a deadlock, a bug). */
function executionError(error: unknown): AmbitError | null {
  if (error instanceof AmbitError) return OF_THE_SERVER.has(error.code) ? null : error;
  const code = (error as { code?: unknown } | null)?.code;
  if (typeof code !== "string" || isConnectionLoss(error) || !REFUSALS.test(code)) return null;
  const message = `${approvalErrors.entries.APPROVAL_EXECUTION_FAILED.message} (${(error as Error).message})`;
  return approvalErrors.APPROVAL_EXECUTION_FAILED({ message, details: { pg_code: code }, cause: error });
}
