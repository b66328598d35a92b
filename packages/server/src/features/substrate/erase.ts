import type { Transaction } from "../../engines/postgres/database.ts";
import { errors } from "../../kernel/errors.ts";
import type { KeyPrincipal } from "../../kernel/principal.ts";
import type { SubstrateContext } from "./context.ts";
import { eraseActions, selectMentioning } from "./erase-store.ts";
import { limits } from "./limits.ts";
import { withRetries } from "./retry.ts";
import { type ActionRow, endAction, lockActions } from "./store.ts";

/** What is to be erased. */
export interface Erasure {
  /** An entity or another record: its values, their history, and the actions that wrote or named it. */
  readonly recordId: string | null;
  readonly actionIds: readonly string[];
  readonly reason: string;
}

/** What was erased: how much of each. */
export interface Erased {
  readonly actions: readonly string[];
  readonly memory_values: number;
  readonly ledger_values: number;
}

/**
 * Erases what people wrote, wherever it is kept: the record with its versions, the payloads and results of the actions
 * and of their approvals, webhooks that were not delivered yet, and what the ledger had sealed. The entries stay, and
 * the ledger verifies as before. An action that waits is rejected by it.
 */
export function erase(
  context: SubstrateContext,
  by: KeyPrincipal,
  erasure: Erasure,
  nowMs: number,
): Promise<Erased> {
  return withRetries(() =>
    context.platform.database.transaction((tx) => eraseIn(context, tx, by, erasure, nowMs)),
  );
}

async function eraseIn(
  context: SubstrateContext,
  tx: Transaction,
  by: KeyPrincipal,
  { recordId, actionIds, reason }: Erasure,
  nowMs: number,
): Promise<Erased> {
  const { organizationId } = by;
  const { memory, approvals, outbox, ledger } = context;
  let values = 0;
  let concerned = [...actionIds];
  if (recordId !== null) {
    concerned.push(...(await memory.actionsOf(tx, organizationId, recordId)));
    concerned.push(...(await selectMentioning(tx, organizationId, recordId)));
    values = await memory.erase(tx, organizationId, recordId, null);
  }
  concerned = [...new Set(concerned)].sort();
  if (recordId !== null && concerned.length === 0) {
    throw errors.RESOURCE_NOT_FOUND({ message: `The memory never had a record ${recordId}.` });
  }
  const erased: string[] = [];
  let sealed = 0;
  for (let at = 0; at < concerned.length; at += limits.actionsAtOnce) {
    const batch = concerned.slice(at, at + limits.actionsAtOnce);
    // The inbox's rows are locked before the actions', as everywhere.
    await approvals.erase(tx, organizationId, "substrate_action", batch);
    const rows = await lockActions(tx, organizationId, batch);
    await rejectWaiting(tx, rows, nowMs);
    const ids = rows.map(({ id }) => id);
    await eraseActions(tx, organizationId, ids, new Date(nowMs));
    const approvalIds = rows.flatMap(({ approval_id }) => approval_id ?? []);
    await outbox.erase(tx, organizationId, [...ids, ...approvalIds]);
    for (const subjects of [ids, approvalIds]) {
      if (subjects.length === 0) continue;
      const actor = { type: "person" as const, id: by.keyId, account: by.accountId };
      sealed += await ledger.erase(tx, { organizationId, subjects, actor, reason });
    }
    erased.push(...ids);
  }
  return { actions: erased, memory_values: values, ledger_values: sealed };
}

async function rejectWaiting(tx: Transaction, rows: readonly ActionRow[], nowMs: number): Promise<void> {
  for (const { organization_id, id, status } of rows) {
    if (status !== "proposed") continue;
    const rejectedReason = "Its content was erased before anybody decided.";
    await endAction(tx, organization_id, id, { status: "rejected", at: new Date(nowMs), rejectedReason });
  }
}
