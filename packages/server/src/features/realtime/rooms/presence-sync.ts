import { limits } from "./limits.ts";
import { type Event, type Merged, membersOf, type Told } from "./merge.ts";
import type { Later, NodeBus } from "./types.ts";

/** The topic of what nodes tell each other about members. */
export const TOPIC = "presence";

/** What stands in a message: members that changed, a list of all, or a wish for such a list. */
type Message =
  | { t: "told"; c: Told[] }
  | { t: "state"; id: number; part: number; last: boolean; c: Told[] }
  | { t: "want"; of: string };

export interface SyncPorts {
  readonly bus: NodeBus;
  readonly later: Later;
  readonly merged: Merged;
  /** Takes what the others say. */
  take(event: Event): void;
}

/**
 * Keeps the members of all nodes known to all nodes: each tells its own changes, and all of its own members when
 * another node comes or asks; it asks those of whom something is missing until they have answered.
 */
export class PresenceSync {
  readonly #ports: SyncPorts;
  #nextState = 0;
  #owing: { cancel(): void } | null = null;
  #asking: { cancel(): void } | null = null;
  #askAgainMs: number = limits.syncRetryMs;

  constructor(ports: SyncPorts) {
    this.#ports = ports;
    const { bus, take } = ports;
    for (const node of bus.others) take({ kind: "joined", node });
    bus.subscribe(TOPIC, (body, node) => this.#receive(body as Message, node));
    bus.onNodes(({ joined, left }) => {
      if (left !== undefined) take({ kind: "left", node: left });
      if (joined === undefined) return;
      take({ kind: "joined", node: joined });
      this.#askAgainMs = limits.syncRetryMs;
      this.#owe(limits.stateMs);
      this.#ask();
    });
    bus.onLost((node) => {
      take({ kind: "lost", node });
      this.#askAgainMs = limits.syncRetryMs;
      this.#ask();
    });
    if (bus.others.size > 0) {
      this.#owe(limits.stateMs);
      this.#ask();
    }
  }

  /** Tells the others what is true now of these members of this node. */
  tell(members: ReadonlyMap<string, ReadonlySet<string>>): void {
    const { bus, merged } = this.#ports;
    if (bus.others.size === 0) return;
    const told: Told[] = [];
    for (const [room, clients] of members) {
      for (const client of clients) {
        const row = merged.rooms.get(room)?.members.get(client);
        told.push(row === undefined ? [room, client] : [room, client, row.user, row.text]);
      }
    }
    if (told.length === 0) return;
    for (const part of parts(told)) if (!this.#publish({ t: "told", c: part })) this.#owe(limits.syncRetryMs);
  }

  close(): void {
    this.#owing?.cancel();
    this.#asking?.cancel();
  }

  #receive(message: Message, node: string): void {
    const { take, bus } = this.#ports;
    if (message.t === "want") {
      if (message.of === bus.nodeId) this.#owe(limits.stateMs);
    } else if (message.t === "told") {
      take({ kind: "told", node, members: message.c });
    } else if (message.t === "state") {
      const { id, part, last, c } = message;
      take({ kind: "state", node, id, part, last, members: c });
    }
  }

  /** Tells all of this node's members soon. What is refused is told again later. */
  #owe(ms: number): void {
    const { later, bus, merged } = this.#ports;
    this.#owing ??= later(ms, () => {
      this.#owing = null;
      const id = this.#nextState++;
      const lists = parts([...membersOf(merged, bus.nodeId)]);
      for (const [part, c] of lists.entries()) {
        const message: Message = { t: "state", id, part, last: part === lists.length - 1, c };
        if (!this.#publish(message)) return this.#owe(limits.syncRetryMs);
      }
    });
  }

  /** Asks those of whom something is missing, again and again while there are any. */
  #ask(): void {
    const { later, merged } = this.#ports;
    this.#asking?.cancel();
    this.#asking = null;
    const missing = [...merged.nodes].filter(([, node]) => !node.synced).map(([id]) => id);
    if (missing.length === 0) {
      this.#askAgainMs = limits.syncRetryMs;
      return;
    }
    for (const of of missing) this.#publish({ t: "want", of });
    const ms = this.#askAgainMs;
    this.#askAgainMs = Math.min(ms * 2, limits.syncRetryMaxMs);
    this.#asking = later(ms, () => this.#ask());
  }

  #publish(message: Message): boolean {
    return this.#ports.bus.publish(TOPIC, message);
  }
}

/** Lists of about `limits.syncChars`; one empty list for none. */
function parts(members: readonly Told[]): Told[][] {
  const lists: Told[][] = [[]];
  let chars = 0;
  for (const member of members) {
    const size = 100 + member[0].length + (member[3]?.length ?? 0);
    if (chars > 0 && chars + size > limits.syncChars) {
      lists.push([]);
      chars = 0;
    }
    lists.at(-1)!.push(member);
    chars += size;
  }
  return lists;
}
