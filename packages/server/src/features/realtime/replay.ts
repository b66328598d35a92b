import type { Transaction } from "../../engines/postgres/replication/transactions.ts";
import type { LogWindow } from "../../engines/postgres/replication/window-types.ts";
import type { Channel } from "./channel.ts";
import { deliverTo, incomplete } from "./delivery.ts";
import { decideFilters } from "./filter-verdicts.ts";
import { BEHIND_ALL, type ResyncReason, readSeq, seqOf } from "./frames.ts";
import { Images, readerOf } from "./images.ts";
import { limits } from "./limits.ts";
import { NOTICE_PREFIX, readNotice } from "./messages.ts";
import { type ChangeEntry, type Commit, rowsOf } from "./queue.ts";
import type { Shape } from "./record.ts";
import type { Group, Subscription } from "./subscriptions.ts";
import type { TableState } from "./table-state.ts";
import { Verdicts } from "./verdicts.ts";

/** The part of the log that a returning client missed: after `since`, up to and with `until`. Texts of places. */
export interface Missed {
  readonly since: string;
  readonly until: string;
}

/** A subscription that comes back, in the channel it comes back to. */
export interface Returning {
  readonly channel: Channel;
  readonly state: TableState;
  readonly subscription: Subscription;
}

/** What the log holds there: changes of the subscription's table, and of tables that its policies read. */
interface Found {
  readonly own: ChangeEntry[];
  readonly read: ChangeEntry[];
}

interface Sight {
  readonly seesOld: boolean;
  readonly seesNew: boolean;
}

/**
 * Puts into the outbox what a subscription has missed, judged as it would have been at its own place. To be called
 * from a task of the channel, with the subscription added. Gives the reason when that can't be told; then nothing was
 * put.
 */
export async function replay(
  returning: Returning,
  missed: Missed,
  window: LogWindow,
): Promise<ResyncReason | null> {
  const { channel, state, subscription } = returning;
  // Policies have changed once more: those of the missed places are not known.
  if (channel.noticeWaits) return "policy_changed";
  const found = find(returning, missed, window);
  if (typeof found === "string") return found;
  const { appId, shapes, filters: asker } = channel.ports;
  const relations = [...found.own, ...found.read].map(({ relation }) => relation);
  await channel.persist(() => shapes.prepare(relations));
  if (found.own.some(({ relation }) => !state.fits(relation))) return "table_changed";
  const shape = (entry: ChangeEntry) => shapes.peek(entry.relation)!;
  const sights = await sightsOf(returning, found, shape);
  if (typeof sights === "string") return sights;
  const only = subscription.filters ?? [];
  const changes = found.own.map((entry) => ({ entry, state }));
  const filters = await channel.persist(() => decideFilters(changes, { asker, appId, shape, only }));
  for (const [at, entry] of found.own.entries()) {
    const images = new Images(entry, shape(entry));
    deliverTo(subscription, sights[at]!, images, state, { filters, outbox: channel.outbox });
  }
  return null;
}

/** Looks through the log; a reason if something there makes what was missed impossible to tell. */
function find({ channel, state }: Returning, missed: Missed, window: LogWindow): Found | ResyncReason {
  const since = readSeq(missed.since);
  if (since === null || missed.since > missed.until) return "window_over";
  const { appId } = channel.ports;
  // A place behind a whole transaction needs that transaction no more.
  const first = since.index === BEHIND_ALL ? since.commitLsn + 1n : since.commitLsn;
  const transactions = window.since(appId, first);
  if (transactions === null) return "window_over";
  const found: Found = { own: [], read: [] };
  for (const transaction of transactions) {
    const reason = look(transaction, missed, { appId, state, found });
    if (reason !== null) return reason;
    if (found.own.length > limits.replayChanges) return "window_over";
  }
  return found;
}

function look(
  { commitLsn, commitTime, xid, events, firstEvent }: Transaction,
  { since, until }: Missed,
  { appId, state, found }: { appId: string; state: TableState; found: Found },
): ResyncReason | null {
  const commit: Commit = { commitLsn, commitTime, xid, complete: true };
  const { dependsOn } = state.view!;
  for (const [at, event] of events.entries()) {
    const index = firstEvent + at;
    const place = seqOf(commitLsn, index);
    if (place <= since || place > until) continue;
    if (event.kind === "message") {
      if (event.prefix === NOTICE_PREFIX && readNotice(event.content)?.app === appId) return "policy_changed";
    } else if (event.kind === "truncate") {
      const mine = event.relations.filter(({ schema }) => schema === appId).map(({ table }) => table);
      if (mine.includes(state.table)) return "truncated";
      if (mine.some((table) => dependsOn.includes(table))) return "dependency_changed";
    } else if (event.relation.schema === appId) {
      const { kind, relation } = event;
      const { table } = relation;
      const entry = { ...rowsOf(event), kind, seq: 0, commit, index, table, relation, size: 0 };
      const own = table === state.table;
      if (own && incomplete(entry)) return "table_changed";
      if (own) found.own.push(entry);
      if (dependsOn.includes(table)) found.read.push(entry);
    }
  }
  return null;
}

/** What the subscription's viewer saw of each change; or why nobody can say. */
async function sightsOf(
  { channel, state, subscription }: Returning,
  { own, read }: Found,
  shape: (entry: ChangeEntry) => Shape,
): Promise<Sight[] | ResyncReason> {
  const { viewer } = subscription.peer;
  const all = () => own.map((entry) => ({ seesOld: entry.old !== null, seesNew: entry.new !== null }));
  if (viewer.role === "service") return all();
  const { rows } = state.view!.roles[viewer.role];
  if (rows === "all") return all();
  if (rows === "none") return own.map(() => ({ seesOld: false, seesNew: false }));
  const watchers = state.subscriptions.roles[viewer.role];
  const group = watchers.groups.get(viewer.claims)!;
  if (watchers.index !== null && !watchers.bySql.has(group)) {
    return sightsByIndex({ channel, state, subscription }, group, { own, read }, shape);
  }
  if (read.length > 0 || state.view!.unwatched) return "dependency_changed";
  const verdicts = new Verdicts(rows, shape);
  for (const entry of own) verdicts.add(entry);
  const { judge, appId } = channel.ports;
  await channel.persist(() => verdicts.decide(judge, appId, viewer.role as "anon" | "user", [group]));
  const { dependsOn, callsFunctions } = state.view!;
  if (dependsOn.length > 0 || callsFunctions) {
    // What those policies read or call may have changed before the verdict, behind the places missed: the log tells.
    await channel.persist(() => channel.ports.mark());
    if (channel.noticeWaits) return "policy_changed";
    if (channel.touchWaits(dependsOn)) return "dependency_changed";
  }
  const sights: Sight[] = [];
  for (const entry of own) {
    const seesOld = entry.old === null ? false : verdicts.on(entry.old)(group);
    const seesNew = entry.new === null ? false : verdicts.on(entry.new)(group);
    if (seesOld === null || seesNew === null) return "evaluation_failed";
    sights.push({ seesOld, seesNew });
  }
  return sights;
}

function sightsByIndex(
  { channel, state, subscription }: Returning,
  group: Group,
  { own, read }: Found,
  shape: (entry: ChangeEntry) => Shape,
): Sight[] | ResyncReason {
  const { viewer } = subscription.peer;
  const { index, rule } = state.subscriptions.roles[viewer.role];
  // While this viewer's own memberships stayed as they are, so did what they saw.
  for (const entry of read) {
    for (const source of rule!.sources) {
      if (source.table !== entry.table) continue;
      const set = channel.memberships.get(source);
      if (set === undefined || (entry.kind !== "insert" && entry.old === null)) return "dependency_changed";
      const images = [entry.old, entry.new].filter((row) => row !== null);
      const members = images.flatMap((row) => set.membersOf(readerOf(row, shape(entry))));
      for (const other of index!.holding(source, members)) if (other === group) return "membership_changed";
    }
  }
  const sights: Sight[] = [];
  for (const entry of own) {
    const form = shape(entry);
    const seesOld = entry.old === null ? false : index!.sees(viewer, readerOf(entry.old, form));
    const seesNew = entry.new === null ? false : index!.sees(viewer, readerOf(entry.new, form));
    if (seesOld === null || seesNew === null) return "evaluation_failed";
    sights.push({ seesOld, seesNew });
  }
  return sights;
}
