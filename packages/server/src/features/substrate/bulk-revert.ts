import type { Queryable, Transaction } from "../../engines/postgres/database.ts";
import { AmbitError } from "../../kernel/errors.ts";
import type { MemoryChange, MemoryWork } from "../memory/service.ts";
import type { SubstrateContext } from "./context.ts";
import type { ExecutionOutcome } from "./execute.ts";
import { revertRefusal } from "./revert.ts";
import { type ActionRow, lockActions, markReverted } from "./store.ts";

/** An action that was not undone, and why. */
export interface FailedRevert {
  readonly action_id: string;
  readonly code: string;
  readonly reason: string;
}

/** In which order actions would be undone, and which would not. */
export interface RevertPlan {
  readonly order: readonly string[];
  readonly failed: readonly FailedRevert[];
}

/** Plans the undoing of several actions; changes nothing. `rows` are those of them that there are. */
export async function planBulkRevert(
  { memory }: SubstrateContext,
  db: Queryable,
  work: Pick<MemoryWork, "organizationId" | "sourceAppId">,
  ids: readonly string[],
  rows: readonly ActionRow[],
): Promise<RevertPlan> {
  const byId = new Map(rows.map((row) => [row.id, row]));
  const failed: FailedRevert[] = [];
  const possible: string[] = [];
  for (const id of ids) {
    const refusal = revertRefusal(id, byId.get(id) ?? null, work.sourceAppId);
    if (refusal === null) possible.push(id);
    else failed.push({ action_id: id, code: refusal.code, reason: refusal.message });
  }
  const { order, blocked } = await memory.planRevert(db, work.organizationId, possible);
  const reasons = blocked.map(({ action_id, blockers }) => ({
    action_id,
    code: "REVERT_BLOCKED",
    reason: `Later actions have built on it: ${blockers.map(({ reason }) => reason).join("; ")}`,
  }));
  return { order, failed: [...failed, ...reasons] };
}

/** Undoes several actions in an order that works; what can't be undone stays, with its reason. */
export async function bulkRevert(
  context: SubstrateContext,
  tx: Transaction,
  work: MemoryWork,
  ids: readonly string[],
): Promise<ExecutionOutcome> {
  const rows = await lockActions(tx, work.organizationId, ids);
  const plan = await planBulkRevert(context, tx, work, ids, rows);
  const failed = [...plan.failed];
  const reverted: string[] = [];
  const changes: MemoryChange[] = [];
  for (const id of plan.order) {
    try {
      const outcome = await tx.nested((nested) => context.memory.revert(nested, work, id));
      changes.push(...outcome.changes);
      reverted.push(id);
    } catch (error) {
      if (!(error instanceof AmbitError)) throw error;
      failed.push({ action_id: id, code: error.code, reason: error.message });
    }
  }
  await markReverted(tx, work.organizationId, reverted, work.actionId);
  return { result: { reverted, failed: failed.map((each) => ({ ...each })) }, changes };
}
