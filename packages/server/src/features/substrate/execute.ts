import type { Transaction } from "../../engines/postgres/database.ts";
import type { JsonObject } from "../ledger/service.ts";
import type { MemoryChange, MemoryWork } from "../memory/service.ts";
import { bulkRevert } from "./bulk-revert.ts";
import type { SubstrateContext } from "./context.ts";
import { limits } from "./limits.ts";
import type { OwnPayload } from "./payload.ts";
import { revertAction } from "./revert.ts";
import type { RecordChange } from "./store.ts";

/** An action to be done now. Its payload has been parsed. */
export interface Execution extends MemoryWork {
  readonly capability: string;
  readonly payload: JsonObject;
}

export interface ExecutionOutcome {
  readonly result: JsonObject;
  readonly changes: readonly MemoryChange[];
}

/**
 * Does what the capability says, and queues it for the webhooks registered for it; as part of `tx`. Throws AmbitErrors
 * for what can't be done.
 */
export async function execute(
  context: SubstrateContext,
  tx: Transaction,
  work: Execution,
): Promise<ExecutionOutcome> {
  const outcome = await perform(context, tx, work);
  const { organizationId, actionId, capability, payload, sourceAppId, nowMs } = work;
  const executedAt = new Date(nowMs).toISOString();
  const body = { action_id: actionId, capability, payload, executed_at: executedAt };
  const queued = await context.outbox.enqueue(
    tx,
    { organizationId, capability, subject: actionId, sourceAppId, body },
    nowMs,
  );
  return REACHES_OUT.has(capability) ? { ...outcome, result: queuedResult(capability, queued) } : outcome;
}

/** Capabilities that are done by whoever listens at their webhook. */
const REACHES_OUT: ReadonlySet<string> = new Set(["send_email_draft", "place_call"]);

async function perform(
  context: SubstrateContext,
  tx: Transaction,
  work: Execution,
): Promise<ExecutionOutcome> {
  const { capability, payload } = work;
  if (capability === "revert_action") {
    return revertAction(context, tx, work, (payload as OwnPayload<"revert_action">).action_id);
  }
  if (capability === "bulk_revert_actions") {
    return bulkRevert(context, tx, work, (payload as OwnPayload<"bulk_revert_actions">).action_ids);
  }
  if (REACHES_OUT.has(capability)) return { result: {}, changes: [] };
  return context.memory.execute(tx, work, capability, payload);
}

const queuedResult = (capability: string, queued: readonly string[]): JsonObject => ({
  queued: queued.length,
  outbox_ids: [...queued],
  ...(queued.length > 0
    ? {}
    : {
        hint: `Nobody listens yet: register a webhook with PUT /v1/me/substrate/outbox-targets/${capability}.`,
      }),
});

/** What an action's row keeps of its changes: which records, not what they say. */
export function recordChanges(changes: readonly MemoryChange[]): {
  readonly changes: readonly RecordChange[];
  readonly changesCount: number;
} {
  const kept = changes.slice(0, limits.changesKept).map(({ id, kind, before, after }) => {
    const change = before === null ? "created" : after === null ? "deleted" : "updated";
    return { id, kind, change } as const;
  });
  return { changes: kept, changesCount: changes.length };
}
