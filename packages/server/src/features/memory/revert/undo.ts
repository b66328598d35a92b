import type { RevertBlocker } from "../service.ts";

/** What a record, as a version has it, needs to be there. */
export interface Needs {
  /** Ids of records it names. */
  readonly references: readonly string[];
  /** Keys nobody else may have, each as one text. */
  readonly identities: readonly string[];
}

/** One version of a record, as much of it as undoing needs. */
export interface VersionFact {
  readonly version: number;
  readonly actionId: string;
  /** The version whose state this one has put back; 0: before the first. Null: it says something new. */
  readonly restores: number | null;
}

/** A record an action has touched. */
export interface History {
  readonly kind: string;
  /**
   * Ascending: the last ones without gaps, and wherever they stand those in question and the one before each. What is
   * left out is older, or lies between so many later changes that it does not matter.
   */
  readonly versions: readonly VersionFact[];
  /** What versions in question need; null: the record is gone in it. Holds the last and those that may come back. */
  readonly needs: ReadonlyMap<number, Needs | null>;
}

/** A record or action standing somewhere, named for people and plans. */
export interface Holder {
  readonly id: string;
  readonly kind: string;
  readonly actionId: string;
}

/** What undoing looks at. */
export interface World {
  /** Every record that one of the actions in question has touched. */
  readonly histories: ReadonlyMap<string, History>;
  /** Records besides those that name one of them. */
  readonly referrers: ReadonlyMap<string, readonly Holder[]>;
  /** Records besides those that are gone although a version in question names them. */
  readonly gone: ReadonlyMap<string, Holder>;
  /** Records besides those that have a key which a version in question needs. */
  readonly owners: ReadonlyMap<string, Holder>;
}

/** What undoing an action does to one record. */
export interface Step {
  readonly id: string;
  /** The version the action made. */
  readonly undone: number;
  /** The version whose state comes back; 0: the record is gone again. */
  readonly back: number;
  /** What `memory_versions.restores` is to say. */
  readonly restores: number;
  readonly last: VersionFact;
}

/** The version that says the same as this one and was not put back. */
const origin = ({ version, restores }: VersionFact): number => restores ?? version;

/** What the action has done, as far as the world knows it; one step per record it touched. Pure. */
export function stepsOf({ histories }: World, actionId: string): Step[] {
  const steps: Step[] = [];
  for (const [id, { versions }] of histories) {
    const made = versions.find((each) => each.actionId === actionId);
    if (made === undefined) continue;
    const back = made.version - 1;
    const before = versions.find(({ version }) => version === back);
    steps.push({
      id,
      undone: made.version,
      back,
      restores: before === undefined ? back : origin(before),
      last: versions.at(-1)!,
    });
  }
  return steps;
}

/**
 * Everything that stands in the way of undoing the action: records changed since, records that name what would be gone,
 * and what comes back naming what is gone or claiming a key another has. Empty: it can be undone. Pure.
 */
export function blockersOf(world: World, actionId: string): RevertBlocker[] {
  const steps = stepsOf(world, actionId);
  const changed = steps.flatMap((step) => laterChanges(world.histories.get(step.id)!, step));
  // What has changed since no longer says anything about what else is in the way.
  if (changed.length > 0) return changed;
  const after = new Map(steps.map(({ id, back }) => [id, needsAt(world.histories.get(id)!, back)]));
  return [...leftBehind(world, after), ...missing(world, after), ...taken(world, after)];
}

/** A version of which nothing is known, as version 0, has no record. */
const needsAt = ({ needs }: History, version: number): Needs | null => needs.get(version) ?? null;

const needsNow = (history: History): Needs | null => needsAt(history, history.versions.at(-1)!.version);

function laterChanges({ kind, versions }: History, { id, undone, last }: Step): RevertBlocker[] {
  const at = new Map(versions.map((each) => [each.version, each]));
  const target = origin(at.get(undone)!);
  if (origin(last) === target) return [];
  const blockers: RevertBlocker[] = [];
  let current = origin(last);
  // From the last change that still stands back to the one in question, or as far as is known.
  while (current > undone) {
    const fact = at.get(current);
    if (fact === undefined) return blockers;
    blockers.push({ action_id: fact.actionId, record_id: id, reason: `${id} (${kind}) was changed since` });
    const before = at.get(current - 1);
    current = before === undefined ? current - 1 : origin(before);
  }
  if (current === target && blockers.length > 0) return blockers;
  const undoing = versions.find((each) => each.version > undone && origin(each) < target) ?? last;
  return [
    { action_id: undoing.actionId, record_id: id, reason: `what it did to ${id} (${kind}) was undone since` },
  ];
}

type After = ReadonlyMap<string, Needs | null>;

/** Records that would name what is gone. */
function leftBehind({ histories, referrers }: World, after: After): RevertBlocker[] {
  const blockers: RevertBlocker[] = [];
  const blame = (holder: Holder, id: string) =>
    blockers.push({
      action_id: holder.actionId,
      record_id: holder.id,
      reason: `${holder.id} (${holder.kind}) refers to ${id}`,
    });
  for (const [id, needs] of after) {
    if (needs !== null) continue;
    for (const holder of referrers.get(id) ?? []) blame(holder, id);
    for (const [other, history] of histories) {
      const then = after.has(other) ? after.get(other)! : needsNow(history);
      if (then?.references.includes(id)) blame(holderOf(other, history), id);
    }
  }
  return blockers;
}

/** What comes back and names what is not there. */
function missing({ histories, gone }: World, after: After): RevertBlocker[] {
  const blockers: RevertBlocker[] = [];
  for (const [id, needs] of after) {
    for (const reference of needs?.references ?? []) {
      if (after.has(reference)) continue;
      const history = histories.get(reference);
      if (history !== undefined && needsNow(history) !== null) continue;
      const holder = history === undefined ? gone.get(reference) : holderOf(reference, history);
      if (holder === undefined) continue;
      blockers.push({
        action_id: holder.actionId,
        record_id: reference,
        reason: `${id} (${histories.get(id)!.kind}) refers to ${reference}, which is gone since`,
      });
    }
  }
  return blockers;
}

/** What comes back with a key that another has by now. */
function taken({ histories, owners }: World, after: After): RevertBlocker[] {
  const blockers: RevertBlocker[] = [];
  for (const [id, needs] of after) {
    for (const key of needs?.identities ?? []) {
      let owner = owners.get(key);
      for (const [other, history] of histories) {
        if (!after.has(other) && needsNow(history)?.identities.includes(key))
          owner = holderOf(other, history);
      }
      if (owner === undefined) continue;
      const reason = `${owner.id} (${owner.kind}) has a key of ${id} by now`;
      blockers.push({ action_id: owner.actionId, record_id: owner.id, reason });
    }
  }
  return blockers;
}

/** A record of the world with the action that stands behind how it is now. */
function holderOf(id: string, { kind, versions }: History): Holder {
  const last = versions.at(-1)!;
  const said = versions.find(({ version }) => version === origin(last)) ?? last;
  return { id, kind, actionId: said.actionId };
}

/** The world once the action is undone by another. Pure. */
export function undone(world: World, actionId: string, byActionId: string): World {
  const histories = new Map(world.histories);
  for (const { id, back, restores, last } of stepsOf(world, actionId)) {
    const history = histories.get(id)!;
    const version = last.version + 1;
    histories.set(id, {
      ...history,
      versions: [...history.versions, { version, actionId: byActionId, restores }],
      needs: new Map(history.needs).set(version, needsAt(history, back)),
    });
  }
  return { ...world, histories };
}
