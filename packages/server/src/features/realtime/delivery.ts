import { setImmediate as nextTurn } from "node:timers/promises";
import type { Row } from "../../engines/postgres/replication/pgoutput.ts";
import { passes } from "./filter.ts";
import { changeFrame, errorFrame, type Frame } from "./frames.ts";
import type { Outbox } from "./outbox.ts";
import { type ChangeEntry, isChange, type TouchEntry } from "./queue.ts";
import type { Mask, Shape } from "./record.ts";
import type { Group, Subscription } from "./subscriptions.ts";
import type { TableState } from "./table-state.ts";
import type { ViewerRole } from "./table-view.ts";
import type { Sight, Verdicts } from "./verdicts.ts";
import { type Outcome, outcomeOf } from "./visibility.ts";

/** What delivering a batch needs to know. */
export interface DeliveryContext {
  readonly tables: ReadonlyMap<string, TableState>;
  readonly verdicts: ReadonlyMap<TableState, ReadonlyMap<ViewerRole, Verdicts>>;
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
  const { tables, outbox } = context;
  for (const entry of entries) {
    for (const state of tables.values()) {
      if (state.view?.dependsOn.includes(entry.table)) state.missed("viewers", "dependency_changed");
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

/** How the callers of one role look at one change. */
interface RoleSight {
  readonly mask: Mask;
  before(group: Group): Sight;
  after(group: Group): Sight;
}

const always = () => true;
const never = () => false;
const undecided = () => null;

const sightOfAll = (entry: ChangeEntry, mask: Mask): RoleSight => ({
  mask,
  before: entry.old === null ? never : always,
  after: entry.new === null ? never : always,
});

function deliverChange(entry: ChangeEntry, state: TableState, context: DeliveryContext): void {
  if (entry.kind !== "insert" && (entry.old === null || entry.relation.replicaIdentity !== "f")) {
    // Without the whole old row nobody can say who saw it.
    state.missed("all", "table_changed");
    return;
  }
  const images = new Images(entry, context.shape(entry));
  const sights = {
    service: sightOfAll(entry, null),
    anon: roleSight(entry, state, "anon", context),
    user: roleSight(entry, state, "user", context),
  };
  for (const group of state.subscriptions.groups()) {
    const sight = sights[group.identity.role];
    if (sight === "missed") {
      state.missed("viewers", entry.seq < state.blindBefore ? "policy_changed" : "dependency_changed");
    } else {
      deliverToGroup(group, sight, images, state, context.outbox);
    }
  }
}

/** `missed`: the policies that held at this place are not known any more, or what they read has changed since. */
function roleSight(
  entry: ChangeEntry,
  state: TableState,
  role: ViewerRole,
  context: DeliveryContext,
): RoleSight | "missed" {
  const view = state.view!;
  const { rows, mask } = view.roles[role];
  if (entry.seq < state.blindBefore) return "missed";
  if (rows === "none") return { mask, before: never, after: never };
  if (rows === "all") return sightOfAll(entry, mask);
  if (view.unwatched) return "missed";
  if (view.dependsOn.some((table) => context.lastTouch(table) > entry.seq)) return "missed";
  const verdicts = context.verdicts.get(state)?.get(role);
  const on = (row: Row | null) => (row === null ? never : (verdicts?.on(row) ?? undecided));
  return { mask, before: on(entry.old), after: on(entry.new) };
}

function deliverToGroup(
  group: Group,
  sight: RoleSight,
  images: Images,
  state: TableState,
  outbox: Outbox,
): void {
  const seesOld = sight.before(group);
  const seesNew = sight.after(group);
  const { table, kind } = images.change;
  for (const subscription of group.members.values()) {
    if (seesOld === null || seesNew === null) {
      tellUndecided(subscription, table, outbox);
      continue;
    }
    if (subscription.blind) {
      subscription.blind = false;
      state.recovered.add(subscription.peer);
    }
    const { filters } = subscription;
    const passing = (which: "old" | "new") =>
      passes(filters, (column) => images.value(which, column, sight.mask));
    const outcome = outcomeOf(kind, seesOld && passing("old"), seesNew && passing("new"));
    if (outcome === null || (outcome === "update" && images.looksUnchanged(sight.mask))) continue;
    outbox.put(subscription.peer, images.frame(outcome, sight.mask));
  }
}

/** Once, until it can be decided again; then the client is told to load afresh. */
function tellUndecided(subscription: Subscription, table: string, outbox: Outbox): void {
  if (subscription.blind) return;
  subscription.blind = true;
  const message = `It could not be decided which changes of ${table} this connection may see: none are sent. Check the table's policies.`;
  outbox.put(subscription.peer, errorFrame(message));
}

/** A change's rows as JSON and its frames, each made once however many connections get it. */
class Images {
  readonly change: ChangeEntry;
  readonly #shape: Shape;
  readonly #texts = { old: new Map<Mask, string>(), new: new Map<Mask, string>() };
  readonly #frames = new Map<Mask, Map<Outcome, Frame>>();

  constructor(change: ChangeEntry, shape: Shape) {
    this.change = change;
    this.#shape = shape;
  }

  /** A column as JSON text; null if it is not there or the mask hides it. */
  value(which: "old" | "new", column: string, mask: Mask): string | null {
    const at = this.#shape.at(column);
    const row = this.change[which];
    if (at === undefined || row === null || (mask !== null && !mask.has(column))) return null;
    return this.#shape.value(row, at);
  }

  /** What changed is hidden: that something changed is not to be told either. */
  looksUnchanged(mask: Mask): boolean {
    return mask !== null && this.#text("old", mask) === this.#text("new", mask);
  }

  frame(outcome: Outcome, mask: Mask): Frame {
    let frames = this.#frames.get(mask);
    if (frames === undefined) {
      frames = new Map();
      this.#frames.set(mask, frames);
    }
    let frame = frames.get(outcome);
    if (frame === undefined) {
      frame = changeFrame(
        this.change,
        outcome,
        () => this.#text("new", mask),
        () => this.#text("old", mask),
      );
      frames.set(outcome, frame);
    }
    return frame;
  }

  #text(which: "old" | "new", mask: Mask): string {
    const texts = this.#texts[which];
    let text = texts.get(mask);
    if (text === undefined) {
      text = this.#shape.record(this.change[which]!, mask);
      texts.set(mask, text);
    }
    return text;
  }
}
