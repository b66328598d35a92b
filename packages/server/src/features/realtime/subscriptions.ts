import type { Filters } from "./filter.ts";
import type { Frame } from "./frames.ts";
import type { Identity } from "./judge.ts";

/** Who is at the other end of a connection, as far as visibility goes. */
export interface Viewer extends Identity {
  /** `service` sees everything. */
  readonly role: "anon" | "user" | "service";
  readonly userId: string | null;
}

/** A connection, as those who send to it see it. */
export interface Peer {
  readonly viewer: Viewer;
  /** Sends frames in this order. Never waits; a connection that can't take them is closed. */
  send(frames: readonly Frame[]): void;
}

/** A connection's interest in one table. */
export interface Subscription {
  readonly peer: Peer;
  filters: Filters;
  /** Visibility could not be decided: changes are missing from what this client was sent. */
  blind: boolean;
}

/** Subscriptions of callers whom the same verdict covers. */
export interface Group {
  readonly identity: Viewer;
  readonly members: Map<Peer, Subscription>;
}

/** The subscriptions of one table, grouped by who looks. */
export class TableSubscriptions {
  readonly #groups = new Map<string, Group>();

  get size(): number {
    let count = 0;
    for (const group of this.#groups.values()) count += group.members.size;
    return count;
  }

  groups(): IterableIterator<Group> {
    return this.#groups.values();
  }

  get(peer: Peer): Subscription | undefined {
    return this.#groups.get(keyOf(peer.viewer))?.members.get(peer);
  }

  set(peer: Peer, filters: Filters): Subscription {
    const known = this.get(peer);
    if (known !== undefined) {
      known.filters = filters;
      return known;
    }
    const key = keyOf(peer.viewer);
    let group = this.#groups.get(key);
    if (group === undefined) {
      group = { identity: peer.viewer, members: new Map() };
      this.#groups.set(key, group);
    }
    const subscription = { peer, filters, blind: false };
    group.members.set(peer, subscription);
    return subscription;
  }

  /** Takes out the peer's subscription; undefined if there was none. */
  delete(peer: Peer): Subscription | undefined {
    const key = keyOf(peer.viewer);
    const group = this.#groups.get(key);
    const subscription = group?.members.get(peer);
    group?.members.delete(peer);
    if (group?.members.size === 0) this.#groups.delete(key);
    return subscription;
  }
}

const keyOf = ({ role, claims }: Viewer): string => `${role} ${claims}`;
