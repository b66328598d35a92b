import { type Frame, frame } from "./frames.ts";
import type { Peer } from "./subscriptions.ts";

/** A connection that shows itself to the others. */
interface Member {
  readonly peer: Peer;
  readonly clientId: string;
  metadata: unknown;
}

/** Who of each app's connections on this node shows itself. Anonymous connections are not told user ids. */
export class Presence {
  readonly #byApp = new Map<string, Map<string, Member>>();

  /** Joins, or changes the metadata of one who has joined, and tells the client who else is there. */
  track(appId: string, peer: Peer, clientId: string, metadata: unknown): void {
    let members = this.#byApp.get(appId);
    if (members === undefined) {
      members = new Map();
      this.#byApp.set(appId, members);
    }
    const known = members.has(clientId);
    const member: Member = { peer, clientId, metadata };
    members.set(clientId, member);
    const clients = [...members.values()]
      .filter((other) => other !== member)
      .map((other) => shown(other, peer));
    peer.send([frame({ type: "presence_state", clients })]);
    if (known) tellUpdate(members, member);
    else tell(members, member, (to) => frame({ type: "presence_join", ...shown(member, to) }));
  }

  /** False if the client has not joined. */
  update(appId: string, clientId: string, metadata: unknown): boolean {
    const members = this.#byApp.get(appId);
    const member = members?.get(clientId);
    if (members === undefined || member === undefined) return false;
    member.metadata = metadata;
    tellUpdate(members, member);
    return true;
  }

  leave(appId: string, clientId: string): void {
    const members = this.#byApp.get(appId);
    const member = members?.get(clientId);
    if (members === undefined || member === undefined) return;
    members.delete(clientId);
    if (members.size === 0) this.#byApp.delete(appId);
    tell(members, member, (to) => {
      const { client_id, user_id } = shown(member, to);
      return frame({ type: "presence_leave", client_id, user_id });
    });
  }
}

function tellUpdate(members: ReadonlyMap<string, Member>, about: Member): void {
  tell(members, about, () =>
    frame({ type: "presence_update", client_id: about.clientId, metadata: about.metadata }),
  );
}

function tell(members: ReadonlyMap<string, Member>, about: Member, made: (to: Peer) => Frame): void {
  for (const member of members.values()) if (member !== about) member.peer.send([made(member.peer)]);
}

function shown(member: Member, to: Peer): { client_id: string; user_id: string | null; metadata: unknown } {
  const user_id = to.viewer.role === "anon" ? null : member.peer.viewer.userId;
  return { client_id: member.clientId, user_id, metadata: member.metadata };
}
