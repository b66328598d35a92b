import type { ChannelFactory } from "../channel/types.ts";
import { Lane } from "../http/lane.ts";
import { type HttpTarget, type HttpUpstreamOptions, viaOf } from "../http/target.ts";
import { openSseChannel } from "./channel.ts";

/** Channels to one server of the transport of 2024-11-05; they share connections and credentials. */
export interface SseChannels {
  /** Opens a channel: a session of the server's. */
  readonly open: ChannelFactory;
  /** Ends all of them. */
  close(): Promise<void>;
}

/** Reaches a server by the older HTTP+SSE transport; nothing is connected before the first `open`. */
export function createSseChannel(target: HttpTarget, options: HttpUpstreamOptions): SseChannels {
  const lane = new Lane(target, viaOf(options, { onToolsChanged() {}, onVersionRefused() {} }));
  return { open: (signal) => openSseChannel(lane, signal), close: () => lane.close() };
}
