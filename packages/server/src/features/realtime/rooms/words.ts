import type { Verdict } from "./admission.ts";
import { limits } from "./limits.ts";
import { PRIVATE_PREFIX } from "./rule.ts";
import type { Action } from "./types.ts";

/** What a client is told when something is refused. None of it comes from data. */

const DOING: Readonly<Record<Action, string>> = { receive: "be in", send: "send to or show itself in" };

/** Why a name is closed to a connection; `what` is the frame that asked. */
export function closedText(verdict: Exclude<Verdict, "yes">, action: Action, name: string): string {
  switch (verdict) {
    case "no":
      return `This connection may not ${DOING[action]} ${name}: a rule of the app denies it.`;
    case "no_rule":
      return `Names that begin with ${PRIVATE_PREFIX} need a rule, and none matches ${name}. A developer adds one with manage_realtime action put_rule.`;
    case "failed":
      return `Whether this connection may ${DOING[action]} ${name} could not be decided, so it may not: the rule failed. A developer finds the cause in the server's log.`;
    case "unavailable":
      return `Whether this connection may ${DOING[action]} ${name} can't be decided at the moment. Try again in a few seconds.`;
  }
}

/** To a key that may only read. */
export const READ_ONLY_TEXT =
  "The key is read-only: it can join channels and subscribe, but not send, show itself or call functions.";

/** By the limit's name, as metrics have it. */
export const LIMIT_TEXTS = {
  rooms_per_connection: `A connection may be in ${limits.roomsPerConnection} rooms: leave one first (presence_untrack).`,
  channels_per_connection: `A connection may be in ${limits.channelsPerConnection} channels: leave one first (broadcast_leave).`,
  metadata_chars: `metadata takes ${limits.metadataChars} characters of JSON, nested ${limits.jsonDepth} levels at most: show less, and keep the rest in a table.`,
  payload_bytes: `payload takes ${limits.payloadBytes} bytes of JSON, nested ${limits.jsonDepth} levels at most: send less, or put it into a table and send its id.`,
  members_per_room: `The room has ${limits.membersPerRoom} members, as many as it may: use several rooms.`,
  room_chars: `The metadata of the room's members would be longer than ${limits.roomChars} characters together: show less.`,
  presence_rate: `Too many presence frames: ${limits.presencePerSecond} a second are taken. Send the newest state only.`,
  broadcast_rate: `Too many broadcasts: ${limits.broadcastsPerSecond} a second are taken from a connection. This one was not sent.`,
  channel_rate: `Too many broadcasts into this channel: ${limits.channelPerSecond} a second are taken. This one was not sent.`,
  join_rate: `Too many broadcast_join and broadcast_leave frames: ${limits.joinsPerSecond} a second are taken. Try again in a second.`,
  bus_waiting_bytes:
    "The message reached members on this server only: the other servers can't be told as fast as messages come.",
} as const;

export type LimitName = keyof typeof LIMIT_TEXTS;
