import type { Relation } from "../../engines/postgres/replication/pgoutput.ts";
import { type ResyncReason, resyncFrame } from "./frames.ts";
import type { Outbox } from "./outbox.ts";
import { Projections } from "./projection.ts";
import { type Group, type Subscription, TableSubscriptions } from "./subscriptions.ts";
import { formOf, type TableView } from "./table-view.ts";

/** Whom changes are missing to: all; all but service; those for whom Postgres decides. */
export type Missing = "all" | "viewers" | "by_sql";

/** Everything a channel keeps of one table that somebody subscribes to, or is about to. */
export class TableState {
  readonly table: string;
  readonly subscriptions = new TableSubscriptions();
  /** Subscribe frames that wait for their place between the changes. */
  pending = 0;
  /** Policies changed again after the view was meant to hold: rows before this place can't be judged by it. */
  blindBefore = 0;
  #view: TableView | null = null;
  #projections: Projections | null = null;
  /** Those for whom visibility can be decided again after it could not. */
  readonly recovered = new Set<Subscription>();
  readonly #concerned = new Map<Group, ResyncReason>();
  readonly #missed = new Map<Missing, ResyncReason>();
  #accepted = new WeakSet<Relation>();

  constructor(table: string) {
    this.table = table;
  }

  /** Who sees what, exact for the place in the log the channel has reached; null until read. */
  get view(): TableView | null {
    return this.#view;
  }

  /** What subscriptions carry under the present view. */
  get projections(): Projections {
    return this.#projections!;
  }

  get unused(): boolean {
    return this.pending === 0 && this.subscriptions.size === 0;
  }

  setView(view: TableView, blindBefore: number): void {
    this.#view = view;
    this.#projections = new Projections(view);
    this.blindBefore = blindBefore;
    this.#accepted = new WeakSet();
  }

  /** Whether the view was read for rows of this form. */
  fits(relation: Relation): boolean {
    if (this.#view === null || this.#accepted.has(relation)) return true;
    if (this.#view.form !== formOf(relation)) return false;
    this.#accepted.add(relation);
    return true;
  }

  /** Takes the view as the best there is for this form: columns it does not have are judged as undecidable. */
  accept(relation: Relation): void {
    this.#accepted.add(relation);
  }

  /** Those judged by sets made from this table go over to SQL. False: there are none. */
  giveUpSources(table: string): boolean {
    const { anon, user } = this.subscriptions.roles;
    const relying = [anon, user].filter(({ rule }) => rule?.sources.some((source) => source.table === table));
    for (const watchers of relying) watchers.judgeBy(null);
    return relying.length > 0;
  }

  /** All who are judged by sets go over to SQL. */
  giveUpAllSources(): void {
    const { anon, user } = this.subscriptions.roles;
    for (const watchers of [anon, user]) if ((watchers.rule?.sources.length ?? 0) > 0) watchers.judgeBy(null);
  }

  /** Changes are missing from what these subscribers were sent. */
  missed(by: Missing, reason: ResyncReason): void {
    if (!this.#missed.has(by)) this.#missed.set(by, reason);
  }

  /** The same for one group. */
  missedBy(group: Group, reason: ResyncReason): void {
    if (!this.#concerned.has(group)) this.#concerned.set(group, reason);
  }

  get hasMissed(): boolean {
    return this.#missed.size > 0 || this.#concerned.size > 0 || this.recovered.size > 0;
  }

  /** Tells those who missed changes to load the table afresh, each once. What they load must be settled by then. */
  tellMissed(outbox: Outbox): void {
    if (!this.hasMissed) return;
    const told = new Set<Subscription>();
    const tell = (members: Iterable<Subscription>, reason: ResyncReason) => {
      for (const subscription of members) {
        if (told.has(subscription)) continue;
        told.add(subscription);
        outbox.resync(subscription, resyncFrame(this.table, reason, subscription.id), reason);
      }
    };
    const { roles } = this.subscriptions;
    const wide: [Missing, Iterable<Group>[]][] = [
      ["all", Object.values(roles).map((role) => role.groups.values())],
      ["viewers", [roles.anon.groups.values(), roles.user.groups.values()]],
      ["by_sql", [roles.anon.bySql, roles.user.bySql]],
    ];
    for (const [by, sets] of wide) {
      const reason = this.#missed.get(by);
      if (reason === undefined) continue;
      for (const groups of sets) for (const { members } of groups) tell(members, reason);
    }
    for (const [{ members }, reason] of this.#concerned) tell(members, reason);
    tell(this.recovered, "evaluation_failed");
    this.recovered.clear();
    this.#concerned.clear();
    this.#missed.clear();
  }
}
