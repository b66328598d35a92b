import type { RevertBlocker } from "../service.ts";
import { blockersOf, stepsOf, undone, type World } from "./undo.ts";

/** In which order actions can be undone, and what keeps the others. */
export interface RevertPlan {
  readonly order: string[];
  readonly blocked: { action_id: string; blockers: RevertBlocker[] }[];
}

/**
 * Plans to undo as many of the actions as can be: what came later goes first, and again over those that were in the
 * way, until no more can be undone. `latest` has the actions, the latest first. Pure.
 */
export function planUndo(world: World, latest: readonly string[]): RevertPlan {
  const order: string[] = [];
  let waiting = [...new Set(latest)];
  let now = world;
  for (let before = -1; order.length !== before; ) {
    before = order.length;
    const still: string[] = [];
    for (const actionId of waiting) {
      if (blockersOf(now, actionId).length > 0) {
        still.push(actionId);
        continue;
      }
      if (stepsOf(now, actionId).length > 0) now = undone(now, actionId, `${UNDOING}${actionId}`);
      order.push(actionId);
    }
    waiting = still;
  }
  return {
    order,
    blocked: waiting.map((action_id) => ({
      action_id,
      blockers: blockersOf(now, action_id).map(realAction),
    })),
  };
}

/** Before an action's id: the action that would undo it, which is not there yet. */
const UNDOING = "undo of ";

const realAction = (blocker: RevertBlocker): RevertBlocker =>
  blocker.action_id.startsWith(UNDOING)
    ? { ...blocker, action_id: blocker.action_id.slice(UNDOING.length) }
    : blocker;
