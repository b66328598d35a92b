import type { Upstream, UpstreamFailure } from "../types.ts";
import { failureOf } from "./session-table.ts";
import type { Channel, ChannelFactory } from "./types.ts";

/** A factory that is watched: how many of its channels are open, and whether the server was there the last time. */
export function observed(open: ChannelFactory): { readonly open: ChannelFactory; state: Upstream["state"] } {
  let channels = 0;
  let reachable: boolean | null = null;
  let problem: string | null = null;

  const unreachable = ({ message }: UpstreamFailure) => {
    reachable = false;
    problem = message;
  };
  return {
    async open(signal) {
      let channel: Channel;
      try {
        channel = await open(signal);
      } catch (error) {
        if (!signal.aborted) unreachable(failureOf(error));
        throw error;
      }
      channels += 1;
      let asked = false;
      return watch(channel, {
        onMessage() {
          reachable = true;
          problem = null;
        },
        onClosing() {
          asked = true;
        },
        onClose(failure) {
          channels -= 1;
          if (!asked) unreachable(failure);
        },
      });
    },
    state: () => ({ reachable, problem, processes: channels }),
  };
}

interface Watcher {
  onMessage(): void;
  onClosing(): void;
  onClose(failure: UpstreamFailure): void;
}

/** The same channel, with somebody who hears of everything before its user. */
function watch(channel: Channel, watcher: Watcher): Channel {
  let tellMessage: (text: string) => void = () => {};
  let tellClose: ((failure: UpstreamFailure) => void) | null = null;
  let closed: UpstreamFailure | null = null;
  channel.onMessage((text) => {
    watcher.onMessage();
    tellMessage(text);
  });
  channel.onClose((failure) => {
    closed = failure;
    watcher.onClose(failure);
    tellClose?.(failure);
  });
  return {
    send: (text) => channel.send(text),
    onMessage(listener) {
      tellMessage = listener;
    },
    onClose(listener) {
      tellClose = listener;
      if (closed !== null) listener(closed);
    },
    onTooLarge: (listener) => channel.onTooLarge?.(listener),
    close() {
      watcher.onClosing();
      return channel.close();
    },
  };
}
