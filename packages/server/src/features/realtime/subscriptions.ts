import type { RowFilter } from "./filters/types.ts";
import type { Frame } from "./frames.ts";
import type { HoldBack } from "./holding.ts";
import type { Identity } from "./judge.ts";
import type { CompiledRule, VisibilityIndex } from "./policies/types.ts";
import type { Projection } from "./projection.ts";

/** Who is at the other end of a connection, as far as visibility goes. */
export interface Viewer extends Identity {
  /** `service` sees everything. */
  readonly role: "anon" | "user" | "service";
  readonly userId: string | null;
  /** A key that may only read: it hears and sees, and neither sends, shows itself nor runs functions. */
  readonly readOnly?: true;
}

/** A connection, as those who send to it see it. */
export interface Peer {
  readonly viewer: Viewer;
  /** Frames collected for it and not handed over yet. */
  pending: Frame[] | null;
  /** Sends frames in this order. Never waits; a connection that can't take them is closed. */
  send(frames: readonly Frame[]): void;
}

/** A connection's interest in one table. Without an id it is the one that clients who know no ids have. */
export interface Subscription {
  readonly peer: Peer;
  readonly table: string;
  readonly id: string | null;
  /** Any of these lets a row through; null lets every row through. */
  filters: readonly RowFilter[] | null;
  /** The same as the client wrote them; null for none. */
  readonly asked: readonly unknown[] | null;
  /** The columns it carries, those of the key among them; null for all that may be read. */
  readonly columns: readonly string[] | null;
  /** Visibility could not be decided: changes are missing from what this client was sent. */
  blind: boolean;
  /** Holds frames back while the current rows are on their way. */
  gate: HoldBack | null;
  /** What of a row it carries, as worked out for the table's present view. */
  projection: Projection | null;
}

/** A subscription without an id, to all rows and columns unless said otherwise. */
export const subscriptionOf = (
  peer: Peer,
  table: string,
  asked: Partial<Pick<Subscription, "id" | "filters" | "asked" | "columns" | "blind">> = {},
): Subscription => ({
  ...{ peer, table, id: null, filters: null, asked: null, columns: null, blind: false },
  ...asked,
  gate: null,
  projection: null,
});

/** Subscriptions of callers whom the same verdict covers. */
export interface Group {
  readonly identity: Viewer;
  readonly members: Subscription[];
  /** What the change in hand looks like to them; see `delivery.ts`. */
  stamp: number;
  sight: number;
  /** A change of what they belong to: they were told to load afresh, and get nothing of this transaction. */
  skips: unknown;
}

/** Those of one role, and how it is found out what they see. */
export class RoleWatchers {
  readonly groups = new Map<string, Group>();
  /** Groups for whom Postgres has to be asked, all of them while there is no index. */
  readonly bySql = new Set<Group>();
  /** What the index was made from; it may be here before the index, while its members are being read. */
  rule: CompiledRule | null = null;
  #index: VisibilityIndex<Group> | null = null;

  get index(): VisibilityIndex<Group> | null {
    return this.#index;
  }

  /** Goes over to an index (or to none); whoever it can't take stays with SQL. */
  judgeBy(index: VisibilityIndex<Group> | null): void {
    this.#index = index;
    this.bySql.clear();
    for (const group of this.groups.values()) this.#place(group);
  }

  add(subscription: Subscription): void {
    const { viewer } = subscription.peer;
    const group = this.groups.get(viewer.claims);
    if (group !== undefined) {
      group.members.push(subscription);
      return;
    }
    const made = { identity: viewer, members: [subscription], stamp: 0, sight: 0, skips: null };
    this.groups.set(viewer.claims, made);
    this.#place(made);
  }

  remove(subscription: Subscription): boolean {
    const group = this.groups.get(subscription.peer.viewer.claims);
    const at = group?.members.indexOf(subscription) ?? -1;
    if (group === undefined || at < 0) return false;
    group.members.splice(at, 1);
    if (group.members.length > 0) return true;
    this.groups.delete(group.identity.claims);
    if (!this.bySql.delete(group)) this.#index?.remove(group);
    return true;
  }

  #place(group: Group): void {
    if (this.#index === null || !this.#index.add(group)) this.bySql.add(group);
  }
}

/** The subscriptions of one table, grouped by who looks. */
export class TableSubscriptions {
  readonly roles: Readonly<Record<Viewer["role"], RoleWatchers>> = {
    anon: new RoleWatchers(),
    user: new RoleWatchers(),
    service: new RoleWatchers(),
  };
  readonly #sqlFilters = new Map<string, { readonly filter: RowFilter; uses: number }>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The different filters about which Postgres may have to be asked. */
  sqlFilters(): RowFilter[] {
    return this.#sqlFilters.size === 0 ? [] : [...this.#sqlFilters.values()].map(({ filter }) => filter);
  }

  /** Somebody's view is limited. */
  get limited(): boolean {
    return this.roles.anon.groups.size > 0 || this.roles.user.groups.size > 0;
  }

  /** Somebody's visibility is asked of Postgres. */
  get judgedBySql(): boolean {
    return this.roles.anon.bySql.size > 0 || this.roles.user.bySql.size > 0;
  }

  *groups(): IterableIterator<Group> {
    for (const role of Object.values(this.roles)) yield* role.groups.values();
  }

  add(subscription: Subscription): void {
    this.roles[subscription.peer.viewer.role].add(subscription);
    this.#size += 1;
    this.#countFilters(subscription, 1);
  }

  /** Gives it other filters. */
  setFilters(subscription: Subscription, filters: Subscription["filters"]): void {
    this.#countFilters(subscription, -1);
    subscription.filters = filters;
    subscription.projection = null;
    this.#countFilters(subscription, 1);
  }

  /** Takes it out; false if it was not there. To be called before the peer's viewer changes. */
  remove(subscription: Subscription): boolean {
    const removed = this.roles[subscription.peer.viewer.role].remove(subscription);
    if (!removed) return false;
    this.#size -= 1;
    this.#countFilters(subscription, -1);
    return true;
  }

  #countFilters({ filters }: Subscription, by: 1 | -1): void {
    for (const filter of filters ?? []) {
      if (!filter.needsSql) continue;
      const counted = this.#sqlFilters.get(filter.key) ?? { filter, uses: 0 };
      counted.uses += by;
      if (counted.uses > 0) this.#sqlFilters.set(filter.key, counted);
      else this.#sqlFilters.delete(filter.key);
    }
  }
}
