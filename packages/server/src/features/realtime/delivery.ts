import { setImmediate as nextTurn } from "node:timers/promises";
import type { Row } from "../../engines/postgres/replication/pgoutput.ts";
import type { FilterVerdicts } from "./filter-verdicts.ts";
import { errorFrame } from "./frames.ts";
import { Images } from "./images.ts";
import type { Memberships } from "./memberships.ts";
import type { Outbox } from "./outbox.ts";
import { type ChangeEntry, type Commit, isChange, type TouchEntry } from "./queue.ts";
import type { Shape } from "./record.ts";
import type { Group, RoleWatchers, Subscription } from "./subscriptions.ts";
import type { TableState } from "./table-state.ts";
import { VIEWER_ROLES, type ViewerRole } from "./table-view.ts";
import type { Verdicts } from "./verdicts.ts";
import { outcomeOf } from "./visibility.ts";

/** What delivering a batch needs to know. */
export interface DeliveryContext {
  readonly tables: ReadonlyMap<string, TableState>;
  readonly verdicts: ReadonlyMap<TableState, ReadonlyMap<ViewerRole, Verdicts>>;
  readonly filters: FilterVerdicts;
  readonly memberships: Memberships;
  /** What waits of the batch's last transaction, oldest first. */
  waitingOf(commit: Commit): Iterable<ChangeEntry | TouchEntry>;
  /** Its transaction changed policies behind it: those that hold for this row are not the view's. */
  blind(entry: ChangeEntry): boolean;
  /** Policies, or what they call or read, were changed before Postgres gave its verdicts, behind this batch. */
  readonly rulesChanged: boolean;
  /** The last place at which a table changed, as far as the log has been read. */
  lastTouch(table: string): number;
  shape(change: ChangeEntry): Shape;
  /** Resolves when queries see everything the log has shown. */
  settle(): Promise<void>;
  readonly outbox: Outbox;
}

/** Turns a batch into frames, in commit order. Yields between large portions. */
export async function deliver(
  entries: readonly (ChangeEntry | TouchEntry)[],
  context: DeliveryContext,
): Promise<void> {
  const { tables, outbox, memberships } = context;
  let commit: Commit | null = null;
  for (const [at, entry] of entries.entries()) {
    if (entry.commit !== commit) {
      commit = entry.commit;
      if (memberships.size > 0 && memberships.movedBy !== commit) moveMembers(entries, at, context);
    }
    for (const state of tables.values()) {
      if (state.view?.dependsOn.includes(entry.table)) state.missed("by_sql", "dependency_changed");
    }
    const state = tables.get(entry.table);
    if (state === undefined || !state.view?.enabled) continue;
    if (isChange(entry)) deliverChange(entry, state, context);
    else if (entry.kind === "truncate") state.missed("all", "truncated");
    if (outbox.full) {
      outbox.flush();
      await nextTurn();
    }
  }
  if ([...tables.values()].some((state) => state.hasMissed)) await context.settle();
  for (const state of tables.values()) state.tellMissed(outbox);
  outbox.flush();
}

/** What of the transaction that begins at `from` has not been delivered, however far it reaches beyond the batch. */
function* restOf(
  entries: readonly (ChangeEntry | TouchEntry)[],
  from: number,
  { waitingOf }: Pick<DeliveryContext, "waitingOf">,
): IterableIterator<ChangeEntry | TouchEntry> {
  const { commit } = entries[from]!;
  let at = from;
  for (; at < entries.length && entries[at]!.commit === commit; at += 1) yield entries[at]!;
  if (at === entries.length) yield* waitingOf(commit);
}

/**
 * Takes over what the transaction that begins at `from` changes of memberships. Whom it concerns gets nothing of this
 * transaction: before it they saw by other memberships than after it. They load afresh.
 */
function moveMembers(
  entries: readonly (ChangeEntry | TouchEntry)[],
  from: number,
  context: DeliveryContext,
): void {
  const { memberships, tables, shape } = context;
  const { commit } = entries[from]!;
  memberships.movedBy = commit;
  for (const entry of restOf(entries, from, context)) {
    if (!memberships.watches(entry.table)) continue;
    const moved = isChange(entry) && !incomplete(entry) ? memberships.apply(entry, shape(entry)) : null;
    if (moved === null) {
      // Nobody knows any more who belongs: Postgres is asked until the sets have been read again.
      for (const state of memberships.forget(entry.table, tables))
        state.missed("viewers", "dependency_changed");
      continue;
    }
    for (const { source, members } of moved) {
      for (const state of tables.values()) {
        for (const role of VIEWER_ROLES) {
          for (const group of state.subscriptions.roles[role].index?.holding(source, members) ?? []) {
            group.skips = commit;
            state.missedBy(group, "membership_changed");
          }
        }
      }
    }
  }
}

/** Without the whole old row nobody can say who saw it. */
export const incomplete = (entry: ChangeEntry): boolean =>
  entry.kind !== "insert" && (entry.old === null || entry.relation.replicaIdentity !== "f");

let stamps = 0;
const OLD = 1;
const NEW = 2;

function deliverChange(entry: ChangeEntry, state: TableState, context: DeliveryContext): void {
  if (incomplete(entry)) {
    state.missed("all", "table_changed");
    return;
  }
  const images = new Images(entry, context.shape(entry));
  const { roles } = state.subscriptions;
  const to = (group: Group, seesOld: boolean, seesNew: boolean) =>
    deliverToGroup(group, { seesOld, seesNew }, images, state, context);
  const toAll = ({ groups }: RoleWatchers) => {
    for (const group of groups.values()) to(group, entry.old !== null, entry.new !== null);
  };
  toAll(roles.service);
  for (const role of VIEWER_ROLES) {
    const watchers = roles[role];
    if (watchers.groups.size === 0) continue;
    const { rows } = state.view!.roles[role];
    // The policies that held at this place are not known any more.
    if (entry.seq < state.blindBefore || context.blind(entry)) state.missed("viewers", "policy_changed");
    else if (rows === "all") toAll(watchers);
    else if (rows !== "none") {
      deliverByIndex(watchers, images, state, to);
      deliverBySql(watchers, entry, { state, role, images }, context, to);
    }
  }
}

type To = (group: Group, seesOld: boolean, seesNew: boolean) => void;

/** To those whom the row's own values lead to. */
function deliverByIndex({ index }: RoleWatchers, images: Images, state: TableState, to: To): void {
  if (index === null || index.size === 0) return;
  const before = images.old === null ? [] : index.seeing(images.old);
  const after = images.new === null ? [] : index.seeing(images.new);
  if (before === null || after === null) {
    state.missed("viewers", "evaluation_failed");
    return;
  }
  const { commit } = images.change;
  const stamp = ++stamps;
  const seen: Group[] = [];
  for (const group of before) {
    group.stamp = stamp;
    group.sight = OLD;
    seen.push(group);
  }
  for (const group of after) {
    if (group.stamp === stamp) group.sight |= NEW;
    else {
      group.stamp = stamp;
      group.sight = NEW;
      seen.push(group);
    }
  }
  for (const group of seen) {
    if (group.skips !== commit) to(group, (group.sight & OLD) !== 0, (group.sight & NEW) !== 0);
  }
}

/** To those for whom Postgres has decided. */
function deliverBySql(
  { bySql }: RoleWatchers,
  entry: ChangeEntry,
  { state, role, images }: { state: TableState; role: ViewerRole; images: Images },
  context: DeliveryContext,
  to: To,
): void {
  if (bySql.size === 0) return;
  const view = state.view!;
  // What the policies read has changed since, or is not followed: the verdict may be of another moment.
  if (view.unwatched || view.dependsOn.some((table) => context.lastTouch(table) > entry.seq)) {
    state.missed("by_sql", "dependency_changed");
    return;
  }
  if (context.rulesChanged && (view.dependsOn.length > 0 || view.callsFunctions)) {
    state.missed("by_sql", "policy_changed");
    return;
  }
  const verdicts = context.verdicts.get(state)?.get(role);
  const sights = (row: Row | null) => (row === null ? () => false : (verdicts?.on(row) ?? (() => null)));
  const [old, after] = [sights(entry.old), sights(entry.new)];
  for (const group of bySql) {
    // It came to SQL after Postgres was asked.
    if (verdicts?.knows(group) !== true) {
      state.missedBy(group, "dependency_changed");
      continue;
    }
    const [seesOld, seesNew] = [old(group), after(group)];
    if (seesOld === null || seesNew === null) {
      for (const subscription of group.members)
        tellUndecided(subscription, images.change.table, context.outbox);
    } else to(group, seesOld, seesNew);
  }
}

function deliverToGroup(
  group: Group,
  sight: { readonly seesOld: boolean; readonly seesNew: boolean },
  images: Images,
  state: TableState,
  context: DeliveryContext,
): void {
  for (const subscription of group.members) deliverTo(subscription, sight, images, state, context);
}

/** Sends one subscription what the change is to it, if it is anything. */
export function deliverTo(
  subscription: Subscription,
  { seesOld, seesNew }: { readonly seesOld: boolean; readonly seesNew: boolean },
  images: Images,
  state: Pick<TableState, "projections" | "recovered">,
  { filters, outbox }: Pick<DeliveryContext, "filters" | "outbox">,
): void {
  const { mask, filterable } = state.projections.of(subscription);
  const { change } = images;
  const passesOld = seesOld && filterable && filters.passes(subscription.filters, images.old, change.old);
  const passesNew = seesNew && filterable && filters.passes(subscription.filters, images.new, change.new);
  if (passesOld === null || passesNew === null) {
    tellUndecided(subscription, change.table, outbox);
    return;
  }
  if (subscription.blind) {
    subscription.blind = false;
    state.recovered.add(subscription);
  }
  const outcome = outcomeOf(change.kind, passesOld, passesNew);
  if (outcome === null || (outcome === "update" && images.looksUnchanged(mask))) return;
  outbox.put(subscription, images.frame(outcome, mask, subscription.id), change);
}

/** Once, until it can be decided again; then the client is told to load afresh. */
function tellUndecided(subscription: Subscription, table: string, outbox: Outbox): void {
  if (subscription.blind) return;
  subscription.blind = true;
  const message = `It could not be decided which changes of ${table} this connection may see: none are sent. Check the table's policies and the subscription's filter.`;
  outbox.put(subscription, errorFrame(message), null);
}
