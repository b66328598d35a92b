/**
 * Who is in which room, put together from what each node says of its own members. A member belongs to the node that
 * named it, and only that node's words (or its end) change it; so all nodes that have heard everything agree, in
 * whatever order the words of different nodes came.
 */

/** What a member shows: its user, and its metadata as JSON text. */
export interface Row {
  readonly user: string | null;
  readonly text: string;
}

interface Entry extends Row {
  readonly node: string;
}

export interface Room {
  readonly members: Map<string, Entry>;
  /** Characters of all members' metadata. */
  chars: number;
}

interface Staged {
  readonly id: number;
  next: number;
  readonly rooms: Map<string, Map<string, Row>>;
}

export interface Merged {
  readonly rooms: Map<string, Room>;
  /** The other nodes; `synced`: nothing of what it said is missing here. */
  readonly nodes: Map<string, { synced: boolean; staged: Staged | null }>;
  /** This node. */
  readonly self: string;
}

/** A member in a message between nodes: room, client, user, metadata; without the last two it is gone. */
export type Told = readonly [room: string, client: string, user?: string | null, text?: string];

export type Event =
  /** Members that came, changed or went, by their own node. */
  | { readonly kind: "told"; readonly node: string; readonly members: readonly Told[] }
  /** Part of a list of all members of a node; `id` names the list. */
  | {
      readonly kind: "state";
      readonly node: string;
      readonly id: number;
      readonly part: number;
      readonly last: boolean;
      readonly members: readonly Told[];
    }
  | { readonly kind: "joined" | "left"; readonly node: string }
  /** Words of that node (or of each, with null) were lost. */
  | { readonly kind: "lost"; readonly node: string | null };

/** A member of whom something changed; what is true now is in `rooms`. */
export interface Change {
  readonly room: string;
  readonly client: string;
  readonly before: Row | null;
}

export const newMerged = (self: string): Merged => ({ rooms: new Map(), nodes: new Map(), self });

/** Takes one event into `state` and gives what changed by it. Depends on nothing but the two. */
export function merge(state: Merged, event: Event): Change[] {
  const { nodes, self } = state;
  switch (event.kind) {
    case "told": {
      if (event.node !== self && !nodes.has(event.node)) return [];
      return event.members.flatMap((told) => apply(state, event.node, told));
    }
    case "state":
      return takeState(state, event);
    case "joined":
      if (event.node !== self) nodes.set(event.node, { synced: false, staged: null });
      return [];
    case "left":
      return nodes.delete(event.node) ? replace(state, event.node, new Map()) : [];
    case "lost":
      for (const [id, node] of nodes) {
        if (event.node !== null && event.node !== id) continue;
        node.synced = false;
        node.staged = null;
      }
      return [];
  }
}

/** The members of a node, in its own words. */
export function* membersOf(state: Merged, node: string): IterableIterator<Told> {
  for (const [room, { members }] of state.rooms) {
    for (const [client, entry] of members) {
      if (entry.node === node) yield [room, client, entry.user, entry.text];
    }
  }
}

function takeState(state: Merged, event: Extract<Event, { kind: "state" }>): Change[] {
  const node = state.nodes.get(event.node);
  if (node === undefined) return [];
  if (event.part === 0) node.staged = { id: event.id, next: 0, rooms: new Map() };
  const { staged } = node;
  // A part is missing: the list is of no use, and will be asked for again.
  if (staged === null || staged.id !== event.id || staged.next !== event.part) {
    node.staged = null;
    return [];
  }
  staged.next += 1;
  for (const [room, client, user = null, text = "{}"] of event.members) {
    const members = staged.rooms.get(room) ?? new Map<string, Row>();
    staged.rooms.set(room, members.set(client, { user, text }));
  }
  if (!event.last) return [];
  node.staged = null;
  node.synced = true;
  return replace(state, event.node, staged.rooms);
}

/** Makes `rooms` all that a node has. */
function replace(
  state: Merged,
  node: string,
  rooms: ReadonlyMap<string, ReadonlyMap<string, Row>>,
): Change[] {
  const changes: Change[] = [];
  for (const [room, client] of [...membersOf(state, node)]) {
    if (!rooms.get(room)?.has(client)) changes.push(...apply(state, node, [room, client]));
  }
  for (const [room, members] of rooms) {
    for (const [client, { user, text }] of members)
      changes.push(...apply(state, node, [room, client, user, text]));
  }
  return changes;
}

function apply({ rooms }: Merged, node: string, [name, client, user = null, text]: Told): Change[] {
  const known = rooms.get(name);
  const before = known?.members.get(client);
  if (before !== undefined && before.node !== node) return [];
  if (before?.text === text && before?.user === (text === undefined ? undefined : user)) return [];
  const room = known ?? { members: new Map(), chars: 0 };
  if (known === undefined) rooms.set(name, room);
  room.chars += (text?.length ?? 0) - (before?.text.length ?? 0);
  if (text === undefined) room.members.delete(client);
  else room.members.set(client, { user, text, node });
  if (room.members.size === 0) rooms.delete(name);
  return [{ room: name, client, before: before ?? null }];
}
