import type { Data, Draft, Memory, State, Version } from "./memory.ts";
import { Refusal } from "./memory.ts";
import { identitiesOf, referencesOf } from "./ties.ts";

/** A record an action made a version of, and the version before that; undefined: there was none. */
interface Touched {
  readonly id: string;
  readonly made: Version;
  readonly before: Version | undefined;
}

/** What of an undone action the model has to know of the action itself. */
export interface UndoTarget {
  readonly id: string;
  readonly capability: string;
  readonly status: string;
  readonly revertedBy: string | null;
  readonly app: string | null;
}

const IRREVERSIBLE = new Set([
  ...["revert_action", "bulk_revert_actions", "record_principle", "amend_principle", "retire_principle"],
  ...["supersede_decision", "delete_entity", "merge_entities", "send_email_draft", "place_call"],
]);

/** Why an action can't be undone whatever became of it; null: it depends on the memory. */
export function refusalOf(target: UndoTarget | undefined, app: string | null): string | null {
  if (target === undefined || (app !== null && target.app !== app)) return "RESOURCE_NOT_FOUND";
  if (target.status !== "executed" || target.revertedBy !== null) return "wrong_status";
  return IRREVERSIBLE.has(target.capability) ? "ACTION_NOT_REVERSIBLE" : null;
}

function touchedBy(memory: Memory, action: string): Touched[] {
  return [...memory.histories].flatMap(([id, versions]) => {
    const at = versions.findIndex((version) => version.action === action);
    return at < 0 ? [] : [{ id, made: versions[at]!, before: versions[at - 1] }];
  });
}

/**
 * Whether undoing leaves a memory that holds together: what the action did still stands in every record, and once it
 * is put back no record names one that is not there and no two are known by the same.
 */
export function canUndo(draft: Draft, action: string): boolean {
  const touched = touchedBy(draft.memory, action);
  const stands = touched.every(({ id, made }) => draft.memory.last(id)!.origin === made.version);
  if (!stands) return false;
  const back = new Map(touched.map(({ id, before }) => [id, before?.state ?? null]));
  const after = new Map<string, State>();
  for (const { id, state } of draft.all()) if (!back.has(id)) after.set(id, state);
  for (const [id, state] of back) if (state !== null) after.set(id, state);
  const owners = new Map<string, string>();
  for (const [id, state] of after) {
    if (referencesOf(state).some((named) => !after.has(named))) return false;
    for (const identity of identitiesOf(state)) {
      if (owners.has(identity)) return false;
      owners.set(identity, id);
    }
  }
  return true;
}

/** Puts back what an action changed; every record it touched is named in the answer. */
export function undo(draft: Draft, action: string): Data {
  if (!canUndo(draft, action)) throw new Refusal("REVERT_BLOCKED");
  const touched = touchedBy(draft.memory, action);
  for (const { id, made, before } of touched) {
    const state = before?.state ?? null;
    if (state === null && draft.get(id) === null) continue;
    draft.putBack(id, (made.state ?? state)!.kind, state, before?.origin ?? 0);
  }
  return { reverted_action_id: action, record_ids: touched.map(({ id }) => id) };
}
