import type { Queryable, Transaction } from "../../../engines/postgres/database.ts";
import { memoryErrors } from "../errors.ts";
import { limits } from "../limits.ts";
import type { RevertBlocker } from "../service.ts";
import type { MemoryOutcome, MemoryWork } from "../types.ts";
import { repeated } from "../write/retry.ts";
import { holdRecords, useRecords } from "../write/store.ts";
import { createUnit, type LimitHit } from "../write/unit.ts";
import { planUndo, type RevertPlan } from "./plan.ts";
import { holdVersions, selectMade, selectPresent } from "./store.ts";
import { blockersOf, stepsOf } from "./undo.ts";
import { loadWorld } from "./world.ts";

/** Puts back what an action changed, as new versions; see `MemoryService.revert`. */
export function revertAction(
  tx: Transaction,
  work: MemoryWork,
  targetActionId: string,
  hit: LimitHit,
): Promise<MemoryOutcome> {
  return repeated(tx, () => revertOnce(tx, work, targetActionId, hit));
}

async function revertOnce(
  tx: Transaction,
  work: MemoryWork,
  targetActionId: string,
  hit: LimitHit,
): Promise<MemoryOutcome> {
  const { organizationId } = work;
  const made = await selectMade(tx, organizationId, [targetActionId]);
  const ids = made.map(({ record_id }) => record_id);
  const held = await holdRecords(tx, organizationId, ids, "remove");
  await holdVersions(tx, organizationId, ids);
  // What was gone may have come back while its last version was waited for.
  const present = held.length === ids.length ? held : await holdRecords(tx, organizationId, ids, "remove");
  const { world, state, knownFromMs } = await loadWorld(tx, organizationId, made, async (named) =>
    (await useRecords(tx, organizationId, named)).map(({ id }) => id),
  );
  const blockers = blockersOf(world, targetActionId);
  if (blockers.length > 0) throw blocked(targetActionId, blockers);
  const unit = createUnit(tx, work, hit);
  const now = new Map(present.map((record) => [record.id, record]));
  for (const { id, back, restores, last } of stepsOf(world, targetActionId)) {
    const before = now.get(id) ?? null;
    const then = state(id, back);
    // Gone by an action that was undone already, and to be gone again.
    if (before === null && then === null) continue;
    const kind = (before ?? then)!.kind;
    const until = { version: last.version, knownFromMs: knownFromMs(id) };
    unit.restore({ id, kind, before, state: then, last: until, restores });
  }
  await unit.write();
  return unit.outcome({ reverted_action_id: targetActionId, record_ids: ids });
}

function blocked(actionId: string, blockers: readonly RevertBlocker[]) {
  const reasons = blockers.slice(0, 5).map(({ reason, action_id }) => `${reason} (${action_id})`);
  const more = blockers.length > reasons.length ? ` and ${blockers.length - reasons.length} more` : "";
  return memoryErrors.REVERT_BLOCKED({
    message: `${actionId} can't be undone: ${reasons.join("; ")}${more}.`,
    details: { blockers: blockers.slice(0, limits.listed) },
  });
}

/** See `MemoryService.planRevert`. */
export async function planRevert(
  db: Queryable,
  organizationId: string,
  actionIds: readonly string[],
): Promise<RevertPlan> {
  const made = await selectMade(db, organizationId, actionIds);
  const touched = made.map(({ action_id }) => action_id);
  // Actions that left nothing behind are undone by doing nothing.
  const latest = [...new Set([...touched, ...[...actionIds].sort().reverse()])];
  const { world } = await loadWorld(db, organizationId, made, (ids) =>
    selectPresent(db, organizationId, ids),
  );
  const plan = planUndo(world, latest);
  return {
    order: plan.order,
    blocked: plan.blocked.map((each) => ({ ...each, blockers: each.blockers.slice(0, limits.listed) })),
  };
}
