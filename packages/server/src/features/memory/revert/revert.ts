import type { Queryable, Transaction } from "../../../engines/postgres/database.ts";
import { memoryErrors } from "../errors.ts";
import { limits } from "../limits.ts";
import type { RevertBlocker } from "../service.ts";
import type { MemoryOutcome, MemoryRecord, MemoryWork } from "../types.ts";
import { type LimitHit, Overtaken, repeated } from "../write/retry.ts";
import { holdRecords } from "../write/store.ts";
import { createUnit } from "../write/unit.ts";
import { planUndo, type RevertPlan } from "./plan.ts";
import { holdVersions, type MadeVersion, selectMade, selectPresent, selectStatesBefore } from "./store.ts";
import { blockersOf, stepsOf } from "./undo.ts";
import { loadWorld, needsOf } from "./world.ts";

/** Puts back what an action changed, as new versions; see `MemoryService.revert`. */
export function revertAction(
  tx: Transaction,
  work: MemoryWork,
  targetActionId: string,
  hit: LimitHit,
): Promise<MemoryOutcome> {
  return repeated(tx, hit, () => revertOnce(tx, work, targetActionId, hit));
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
  const present = await holdAll(tx, organizationId, made, ids);
  const { world, state, knownFromMs } = await loadWorld(tx, organizationId, made);
  const blockers = blockersOf(world, targetActionId);
  if (blockers.length > 0) throw blocked(targetActionId, blockers);
  const unit = createUnit(tx, work, hit);
  for (const { id, back, restores, last } of stepsOf(world, targetActionId)) {
    const before = present.get(id) ?? null;
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

/** Holds the records an action changed, and those that what comes back will name. */
async function holdAll(
  tx: Transaction,
  organizationId: string,
  made: readonly MadeVersion[],
  ids: readonly string[],
): Promise<ReadonlyMap<string, MemoryRecord>> {
  const states = await selectStatesBefore(tx, organizationId, made);
  const named = states.flatMap((state) => needsOf(state).references);
  const held = await holdRecords(tx, organizationId, [...new Set([...ids, ...named])], "remove");
  await holdVersions(tx, organizationId, ids);
  // What is gone is held by its last version; it may have come back while that was waited for.
  const there = new Set(held.map(({ id }) => id));
  for (const id of await selectPresent(tx, organizationId, ids)) {
    if (!there.has(id)) throw new Overtaken(`${id} has come back`);
  }
  return new Map(held.map((record) => [record.id, record]));
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
  const { world } = await loadWorld(db, organizationId, made);
  const plan = planUndo(world, latest);
  return {
    order: plan.order,
    blocked: plan.blocked.map((each) => ({ ...each, blockers: each.blockers.slice(0, limits.listed) })),
  };
}
