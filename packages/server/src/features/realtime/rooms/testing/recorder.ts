import type { Frame } from "../../frames.ts";
import type { Viewer } from "../../subscriptions.ts";
import type { RoomClient } from "../types.ts";

// biome-ignore lint/suspicious/noExplicitAny: what was sent is looked at field by field
export type Sent = Record<string, any>;

/** A connection that keeps what is sent to it. */
export interface Recorder extends RoomClient {
  viewer: Viewer;
  readonly sent: Sent[];
  /** What came since the last call. */
  news(): Sent[];
}

export const service: Viewer = { role: "service", userId: null, claims: "", subject: "" };
export const anonymous: Viewer = { role: "anon", userId: null, claims: "", subject: "" };
export const user = (id: string, claims: Record<string, unknown> = {}): Viewer => ({
  role: "user",
  userId: id,
  claims: JSON.stringify({ sub: id, ...claims }),
  subject: id,
});

export function recorder(appId: string, clientId: string, viewer: Viewer): Recorder {
  const sent: Sent[] = [];
  let seen = 0;
  return {
    ...{ appId, clientId, viewer, sent },
    send: (frames) => void sent.push(...frames.flatMap(readFrames)),
    news() {
      const since = sent.slice(seen);
      seen = sent.length;
      return since;
    },
  };
}

/** The messages in frames that stand one after the other. */
export function readFrames(frames: Frame): Sent[] {
  const messages: Sent[] = [];
  for (let at = 0; at < frames.length; ) {
    if (frames[at] !== 0x81) throw new Error(`no text frame at ${at}`);
    const short = frames[at + 1] ?? 0;
    const head = short < 126 ? 2 : short === 126 ? 4 : 10;
    const length =
      short < 126
        ? short
        : short === 126
          ? frames.readUInt16BE(at + 2)
          : Number(frames.readBigUInt64BE(at + 2));
    messages.push(JSON.parse(frames.toString("utf8", at + head, at + head + length)));
    at += head + length;
  }
  return messages;
}
