import type { Transaction } from "../../engines/postgres/database.ts";
import { AmbitError, errors } from "../../kernel/errors.ts";
import { newSortableId } from "../../kernel/ids.ts";
import type { JsonObject } from "../ledger/service.ts";
import type { MemoryChange } from "../memory/service.ts";
import { planBulkRevert, type RevertPlan } from "./bulk-revert.ts";
import type { SubstrateContext } from "./context.ts";
import { type Execution, execute } from "./execute.ts";
import { judge } from "./judge.ts";
import { type OwnPayload, parsePayload } from "./payload.ts";
import { lockActions, selectAction, selectFacts } from "./store.ts";
import type { ActionPreview, Proposal, Proposer } from "./types.ts";
import { tryOut } from "./undo.ts";

/** What was seen by doing an action and undoing it. */
interface Seen {
  readonly changes: readonly MemoryChange[];
  readonly result: JsonObject | null;
  readonly problem: { readonly code: string; readonly message: string } | null;
  /** For several reverts: their order. */
  readonly plan: RevertPlan | null;
}

/** What proposing it now would come to, and what it would change: computed by doing it and undoing it. */
export async function preview(
  context: SubstrateContext,
  proposer: Proposer,
  proposal: Proposal,
  nowMs: number,
): Promise<ActionPreview> {
  const { organizationId, capability: name } = proposal;
  const parsed = parsePayload(context.memory, name, proposal.payload);
  const { seen, verdict } = await tryOut(context, organizationId, async (tx) => {
    const facts = await selectFacts(tx, organizationId, name, null);
    const verdict = await judge(context, tx, proposer, proposal, parsed, facts, nowMs);
    const work = {
      organizationId,
      actionId: newSortableId("act", nowMs),
      sourceAppId: proposer.sourceAppId,
      nowMs,
    };
    return { verdict, seen: await see(context, tx, { ...work, capability: name, payload: parsed.payload }) };
  });
  return { verdict, ...wire(seen) };
}

/** What approving a waiting action now would change. */
export async function previewWaiting(
  context: SubstrateContext,
  organizationId: string,
  actionId: string,
): Promise<JsonObject> {
  const { database, clock } = context.platform;
  const action = await selectAction(database, organizationId, actionId);
  if (action === null) throw errors.RESOURCE_NOT_FOUND({ message: `There is no action ${actionId}.` });
  const { capability, source_app_id: sourceAppId } = action;
  const { payload } = parsePayload(context.memory, capability, action.payload);
  const work = { organizationId, actionId, sourceAppId, nowMs: clock(), capability, payload };
  return { ...wire(await tryOut(context, organizationId, (tx) => see(context, tx, work))) };
}

async function see(context: SubstrateContext, tx: Transaction, work: Execution): Promise<Seen> {
  const plan = await planOf(context, tx, work);
  try {
    return { ...(await tx.nested((nested) => execute(context, nested, work))), problem: null, plan };
  } catch (error) {
    if (!(error instanceof AmbitError)) throw error;
    const { code, message } = error;
    return { changes: [], result: null, problem: { code, message }, plan };
  }
}

async function planOf(
  context: SubstrateContext,
  tx: Transaction,
  work: Execution,
): Promise<RevertPlan | null> {
  if (work.capability !== "bulk_revert_actions") return null;
  const ids = (work.payload as OwnPayload<"bulk_revert_actions">).action_ids;
  return planBulkRevert(context, tx, work, ids, await lockActions(tx, work.organizationId, ids));
}

const wire = ({ changes, result, problem, plan }: Seen) => ({
  changes: changes.map(
    ({ id, kind, before, after }) => ({ id, kind, before, after }) as unknown as JsonObject,
  ),
  result,
  problem,
  ...(plan === null
    ? {}
    : { plan: { order: [...plan.order], failed: plan.failed.map((each) => ({ ...each })) } }),
});
