import { frame } from "../frames.ts";
import { type Bucket, newBucket, take } from "./bucket.ts";
import { limits } from "./limits.ts";
import type { NodeBus, RoomClient } from "./types.ts";

/** The topic of broadcasts on their way to other nodes. */
const TOPIC = "broadcast";

export const CHANNEL_RATE = { perSecond: limits.channelPerSecond, burst: limits.channelBurst };

interface Member {
  readonly client: RoomClient;
  /** Gets its own messages too. */
  readonly self: boolean;
}

interface Channel {
  readonly members: Map<string, Member>;
  readonly bucket: Bucket;
}

/** A message into a channel; the payload is any JSON. */
export interface Message {
  readonly channel: string;
  readonly event: string;
  readonly payload: unknown;
}

/** What became of a message: `not_told`: the other nodes were not told. */
export type Sent = "sent" | "channel_rate" | "not_told";

const keyOf = (appId: string, channel: string) => `${appId}\n${channel}`;

/**
 * Messages from member to member of a channel, at most once and in the order each sent them; nobody keeps them. Whether
 * somebody may be a member is decided before they come here.
 */
export class Channels {
  readonly #bus: NodeBus;
  readonly #clock: () => number;
  readonly #channels = new Map<string, Channel>();

  constructor({ bus, clock }: { bus: NodeBus; clock: () => number }) {
    this.#bus = bus;
    this.#clock = clock;
    bus.subscribe(TOPIC, (body) => {
      const [appId, channel, event, payload, sender] = body as [string, string, string, unknown, string];
      if (this.#channels.has(keyOf(appId, channel))) {
        this.#deliver(appId, { channel, event, payload }, sender);
      }
    });
  }

  join(client: RoomClient, name: string, self: boolean): void {
    const key = keyOf(client.appId, name);
    let channel = this.#channels.get(key);
    if (channel === undefined) {
      channel = { members: new Map(), bucket: newBucket(CHANNEL_RATE, this.#clock()) };
      this.#channels.set(key, channel);
    }
    channel.members.set(client.clientId, { client, self });
  }

  has(client: RoomClient, name: string): boolean {
    return this.#channels.get(keyOf(client.appId, name))?.members.has(client.clientId) ?? false;
  }

  /** False if it was no member. */
  leave(client: RoomClient, name: string): boolean {
    const key = keyOf(client.appId, name);
    const channel = this.#channels.get(key);
    if (channel?.members.delete(client.clientId) !== true) return false;
    if (channel.members.size === 0) this.#channels.delete(key);
    return true;
  }

  /** Sends a message of a member's to all the others, on all nodes. */
  send(client: RoomClient, message: Message): Sent {
    const { appId, clientId } = client;
    const channel = this.#channels.get(keyOf(appId, message.channel));
    if (channel === undefined || !take(channel.bucket, CHANNEL_RATE, this.#clock())) return "channel_rate";
    this.#deliver(appId, message, clientId);
    if (this.#bus.others.size === 0) return "sent";
    const { channel: name, event, payload } = message;
    const told = this.#bus.publish(TOPIC, [appId, name, event, payload, clientId]);
    return told ? "sent" : "not_told";
  }

  #deliver(appId: string, { channel, event, payload }: Message, sender: string): void {
    const members = this.#channels.get(keyOf(appId, channel))?.members;
    if (members === undefined) return;
    const made = [frame({ type: "broadcast", channel, event, payload, sender })];
    for (const { client, self } of members.values()) {
      if (self || client.clientId !== sender) client.send(made);
    }
  }
}
