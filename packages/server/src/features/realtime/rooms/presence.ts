import type { Frame } from "../frames.ts";
import type { OutReason } from "./frames.ts";
import { limits } from "./limits.ts";
import { type Change, type Event, type Merged, merge, newMerged, type Row } from "./merge.ts";
import {
  ChangeFrames,
  type Difference,
  differences,
  diffFrame,
  type Sight,
  StateFrames,
  untrackedFrame,
} from "./presence-frames.ts";
import { PresenceSync } from "./presence-sync.ts";
import { type Later, type NodeBus, type RoomClient, realLater } from "./types.ts";

/** A connection of this node that is in a room; `fresh`: it has not been told who is there, and is at the next telling. */
interface Looker {
  readonly client: RoomClient;
  fresh: boolean;
}

/** A room in which connections of this node are. */
interface LocalRoom {
  readonly name: string | null;
  readonly lookers: Map<string, Looker>;
  /** Members that changed since the last telling, and what they were then. */
  touched: Map<string, Row | null>;
}

/** Why somebody can't come in. */
export type Refusal = "members_per_room" | "room_chars";

const keyOf = (appId: string, room: string | null) => `${appId}\n${room === null ? "" : `:${room}`}`;
const sightOf = ({ viewer }: RoomClient): Sight => (viewer.role === "anon" ? "no_ids" : "ids");

/**
 * Who is in each room, on all nodes, and what the connections of this node are told of it. Changes are gathered for
 * `limits.presenceMs` and told together, one frame for all; who came in meanwhile gets the whole state instead.
 */
export class Presence {
  readonly #merged: Merged;
  readonly #sync: PresenceSync;
  readonly #later: Later;
  readonly #local = new Map<string, LocalRoom>();
  /** Rooms about which something is to be told to connections of this node. */
  readonly #stirred = new Set<string>();
  /** Own members about whom something is to be told to the other nodes. */
  #untold = new Map<string, Set<string>>();
  #timer: { cancel(): void } | null = null;

  constructor({ bus, later = realLater }: { bus: NodeBus; later?: Later }) {
    this.#later = later;
    this.#merged = newMerged(bus.nodeId);
    this.#sync = new PresenceSync({ bus, later, merged: this.#merged, take: (event) => this.#take(event) });
  }

  /** Comes in, or shows something else; the client gets the state of the room either way. Null when done. */
  track(client: RoomClient, room: string | null, text: string): Refusal | null {
    const key = keyOf(client.appId, room);
    const refusal = this.#refusal(key, client.clientId, text);
    if (refusal !== null) return refusal;
    let local = this.#local.get(key);
    if (local === undefined) {
      local = { name: room, lookers: new Map(), touched: new Map() };
      this.#local.set(key, local);
    }
    // Behind those who came before: they get the state first.
    local.lookers.delete(client.clientId);
    local.lookers.set(client.clientId, { client, fresh: true });
    this.#stir(key);
    this.#tellOwn(key, client.clientId, { user: client.viewer.userId, text });
    return null;
  }

  /** Shows something else; false if it is not in the room. */
  update(client: RoomClient, room: string | null, text: string): Refusal | boolean {
    const key = keyOf(client.appId, room);
    if (!this.#local.get(key)?.lookers.has(client.clientId)) return false;
    const refusal = this.#refusal(key, client.clientId, text);
    if (refusal !== null) return refusal;
    this.#tellOwn(key, client.clientId, { user: client.viewer.userId, text });
    return true;
  }

  /** Goes; with a reason the client is told that it was taken out. False if it was not in. */
  untrack(client: RoomClient, room: string | null, reason: OutReason | null): boolean {
    if (!this.leave(client, room)) return false;
    client.send([untrackedFrame(room, reason)]);
    return true;
  }

  /** Goes without a word, as a connection that is gone. */
  leave(client: RoomClient, room: string | null): boolean {
    const key = keyOf(client.appId, room);
    const local = this.#local.get(key);
    if (local?.lookers.delete(client.clientId) !== true) return false;
    this.#tellOwn(key, client.clientId, null);
    if (local.lookers.size === 0) this.#local.delete(key);
    return true;
  }

  close(): void {
    this.#timer?.cancel();
    this.#sync.close();
  }

  #refusal(key: string, client: string, text: string): Refusal | null {
    const room = this.#merged.rooms.get(key);
    if (room === undefined) return null;
    const own = room.members.get(client);
    if (own === undefined && room.members.size >= limits.membersPerRoom) return "members_per_room";
    return room.chars + text.length - (own?.text.length ?? 0) > limits.roomChars ? "room_chars" : null;
  }

  #tellOwn(key: string, client: string, row: Row | null): void {
    const told = row === null ? ([key, client] as const) : ([key, client, row.user, row.text] as const);
    const { self } = this.#merged;
    if (!this.#take({ kind: "told", node: self, members: [told] })) return;
    const clients = this.#untold.get(key) ?? new Set();
    this.#untold.set(key, clients.add(client));
    this.#arm();
  }

  #take(event: Event): boolean {
    const changes = merge(this.#merged, event);
    for (const change of changes) this.#note(change);
    return changes.length > 0;
  }

  #note({ room, client, before }: Change): void {
    const local = this.#local.get(room);
    if (local === undefined) return;
    if (!local.touched.has(client)) local.touched.set(client, before);
    this.#stir(room);
  }

  #stir(key: string): void {
    this.#stirred.add(key);
    this.#arm();
  }

  #arm(): void {
    this.#timer ??= this.#later(limits.presenceMs, () => {
      this.#timer = null;
      this.#flush();
    });
  }

  #flush(): void {
    const untold = this.#untold;
    this.#untold = new Map();
    this.#sync.tell(untold);
    const stirred = [...this.#stirred];
    this.#stirred.clear();
    for (const key of stirred) {
      const local = this.#local.get(key);
      if (local !== undefined) this.#tell(local, this.#merged.rooms.get(key)?.members);
    }
  }

  #tell(local: LocalRoom, members: ReadonlyMap<string, Row> | undefined): void {
    const changes = differences(local.touched, members);
    local.touched = new Map();
    const states = new Map<Sight, StateFrames>();
    const news = new Map<Sight, News>();
    let ownBytes = 0;
    for (const looker of local.lookers.values()) {
      const { client } = looker;
      const sight = sightOf(client);
      if (looker.fresh) {
        if (ownBytes >= limits.ownStateBytes) {
          // A later state says what it has missed.
          this.#stir(keyOf(client.appId, local.name));
          continue;
        }
        looker.fresh = false;
        const state = states.get(sight) ?? new StateFrames(local.name, members, sight);
        states.set(sight, state);
        const frame = state.for(client.clientId);
        if (local.name === null) ownBytes += frame.length;
        client.send([frame]);
      } else if (changes.length > 0) {
        const told = news.get(sight) ?? newsOf(local, changes, sight);
        news.set(sight, told);
        const frames = told.for(client.clientId);
        if (frames.length > 0) client.send(frames);
      }
    }
  }
}

/** What is told of changes to each of those who see alike. */
interface News {
  for(client: string): readonly Frame[];
}

/** In the app-wide set nobody is told about themselves. */
function newsOf({ name }: LocalRoom, changes: readonly Difference[], sight: Sight): News {
  if (name === null) return new ChangeFrames(changes, sight);
  const frames = [diffFrame(name, changes, sight)];
  return { for: () => frames };
}
