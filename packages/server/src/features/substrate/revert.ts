import type { Transaction } from "../../engines/postgres/database.ts";
import { type AmbitError, errors } from "../../kernel/errors.ts";
import type { MemoryWork } from "../memory/service.ts";
import { CAPABILITIES } from "./capabilities.ts";
import type { SubstrateContext } from "./context.ts";
import { substrateErrors } from "./errors.ts";
import type { ExecutionOutcome } from "./execute.ts";
import { type ActionRow, lockActions, markReverted } from "./store.ts";

/**
 * Undoes one action. Throws RESOURCE_NOT_FOUND, wrong_status for what was not executed or is undone already,
 * ACTION_NOT_REVERSIBLE, and REVERT_BLOCKED when later actions have built on it.
 */
export async function revertAction(
  { memory }: SubstrateContext,
  tx: Transaction,
  work: MemoryWork,
  targetId: string,
): Promise<ExecutionOutcome> {
  const [target] = await lockActions(tx, work.organizationId, [targetId]);
  const refusal = revertRefusal(targetId, target ?? null, work.sourceAppId);
  if (refusal !== null) throw refusal;
  const outcome = await memory.revert(tx, work, targetId);
  await markReverted(tx, work.organizationId, [targetId], work.actionId);
  return outcome;
}

/** Why an action can't be undone, or null. An app can undo only what it proposed itself. Pure. */
export function revertRefusal(
  id: string,
  target: Pick<ActionRow, "capability" | "status" | "reverted_by" | "source_app_id"> | null,
  sourceAppId: string | null,
): AmbitError | null {
  if (target === null || (sourceAppId !== null && target.source_app_id !== sourceAppId)) {
    return errors.RESOURCE_NOT_FOUND({ message: `There is no action ${id.slice(0, 80)}.` });
  }
  if (target.status !== "executed") {
    return substrateErrors.wrong_status({
      message: `Only what was executed can be undone; the action ${id} is ${target.status}.`,
      details: { action_id: id, status: target.status },
    });
  }
  if (target.reverted_by !== null) {
    return substrateErrors.wrong_status({
      message: `The action ${id} has been undone already, by ${target.reverted_by}.`,
      details: { action_id: id, status: target.status, reverted_by: target.reverted_by },
    });
  }
  if (CAPABILITIES.get(target.capability)?.reversible === true) return null;
  return substrateErrors.ACTION_NOT_REVERSIBLE({
    message: `What ${target.capability} does can't be undone.`,
    details: { action_id: id, capability: target.capability },
  });
}
