import type { Relation } from "../../engines/postgres/replication/pgoutput.ts";
import { type ResyncReason, resyncFrame } from "./frames.ts";
import type { Outbox } from "./outbox.ts";
import { type Peer, TableSubscriptions } from "./subscriptions.ts";
import { formOf, type TableView } from "./table-view.ts";

/** Everything a channel keeps of one table that somebody subscribes to, or is about to. */
export class TableState {
  readonly table: string;
  readonly subscriptions = new TableSubscriptions();
  /** Subscribe frames that wait for their place between the changes. */
  pending = 0;
  /** Who sees what, exact for the place in the log the channel has reached; null until read. */
  view: TableView | null = null;
  /** Policies changed again after the view was meant to hold: rows before this place can't be judged by it. */
  blindBefore = 0;
  /** Those for whom visibility can be decided again after it could not. */
  readonly recovered = new Set<Peer>();
  #accepted = new WeakSet<Relation>();
  #missedByAll: ResyncReason | null = null;
  #missedByViewers: ResyncReason | null = null;

  constructor(table: string) {
    this.table = table;
  }

  get unused(): boolean {
    return this.pending === 0 && this.subscriptions.size === 0;
  }

  setView(view: TableView, blindBefore: number): void {
    this.view = view;
    this.blindBefore = blindBefore;
    this.#accepted = new WeakSet();
  }

  /** Whether the view was read for rows of this form. */
  fits(relation: Relation): boolean {
    if (this.view === null || this.#accepted.has(relation)) return true;
    if (this.view.form !== formOf(relation)) return false;
    this.#accepted.add(relation);
    return true;
  }

  /** Takes the view as the best there is for this form: columns it does not have are judged as undecidable. */
  accept(relation: Relation): void {
    this.#accepted.add(relation);
  }

  /** Changes are missing from what subscribers were sent; `viewers` are all but service. */
  missed(by: "all" | "viewers", reason: ResyncReason): void {
    if (by === "all") this.#missedByAll ??= reason;
    else this.#missedByViewers ??= reason;
  }

  get hasMissed(): boolean {
    return this.#missedByAll !== null || this.#missedByViewers !== null || this.recovered.size > 0;
  }

  /** Tells those who missed changes to load the table afresh. What they load must be settled by then. */
  tellMissed(outbox: Outbox): void {
    for (const peer of this.recovered) {
      outbox.resync(peer, resyncFrame(this.table, "evaluation_failed"), "evaluation_failed");
    }
    this.recovered.clear();
    const all = this.#missedByAll;
    const viewers = all ?? this.#missedByViewers;
    this.#missedByAll = null;
    this.#missedByViewers = null;
    if (viewers === null) return;
    const frame = resyncFrame(this.table, viewers);
    for (const { identity, members } of this.subscriptions.groups()) {
      if (identity.role === "service" && all === null) continue;
      for (const peer of members.keys()) outbox.resync(peer, frame, viewers);
    }
  }
}
