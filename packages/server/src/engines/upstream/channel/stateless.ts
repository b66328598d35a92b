import type { Log } from "../../../kernel/log.ts";
import { createBridge, type StatelessFace } from "../bridge/index.ts";
import type { Message, UpstreamListener, UpstreamRequest } from "../types.ts";
import type { ChannelLimits } from "./limits.ts";
import { createNative, speaksStateless, startTalk, type Talk } from "./native.ts";
import { createSessionTable, failureOf } from "./session-table.ts";
import type { Channel, ChannelFactory } from "./types.ts";

export interface StatelessOptions {
  readonly open: ChannelFactory;
  readonly limits: ChannelLimits;
  readonly log: Log;
  readonly clientInfo: Message;
  /** Ask the server which era it speaks; else it is known to speak the older one. */
  readonly probes: boolean;
  readonly now: () => number;
  readonly newId: () => string;
}

export interface StatelessChannels extends StatelessFace {
  /** What is known of the server's era; null before anybody asked. */
  isNative(): boolean | null;
  /** Finds it out. Rejects when the server can't be reached. */
  learn(): Promise<boolean>;
}

/** How long a channel that was opened for the question waits for the first who uses it. */
const SPARE_MS = 10_000;

/** Serves clients of the stateless era over one channel that they share, whichever era its server speaks. */
export function createStatelessChannels(options: StatelessOptions): StatelessChannels {
  const { limits, log, clientInfo } = options;
  let spare: Channel | null = null;
  let verdict: Promise<boolean> | null = options.probes ? null : Promise.resolve(false);
  let known: boolean | null = options.probes ? null : false;

  const dropSpare = async () => {
    const left = spare;
    spare = null;
    await left?.close();
  };
  const openBridged: ChannelFactory = async (signal) => {
    const ready = spare;
    spare = null;
    return ready ?? options.open(signal);
  };
  const table = createSessionTable({
    open: openBridged,
    limits,
    log,
    now: options.now,
    newId: options.newId,
    // One in use, and one that is still ending.
    maxSessions: 2,
    onNotification: () => {},
    onLimit: () => {},
  });
  const bridge = createBridge(table, {
    log,
    clientInfo,
    limits: { openTimeoutMs: limits.openTimeoutMs, idleMs: limits.sharedIdleMs },
  });
  const native = createNative({ open: options.open, limits, log, clientInfo });

  const probe = async (): Promise<boolean> => {
    const talk = startTalk(await options.open(AbortSignal.timeout(limits.openTimeoutMs)), options);
    let gone = false;
    talk.onGone(() => {
      gone = true;
    });
    const isNative = await speaksStateless(talk, clientInfo, limits.discoverTimeoutMs);
    if (isNative) native.adopt(talk);
    else if (!gone) keepSpare(talk);
    if (gone && !isNative) {
      // It ended instead of answering, which says nothing about its era.
      verdict = null;
      return false;
    }
    known = isNative;
    return isNative;
  };
  const keepSpare = ({ channel }: Talk) => {
    spare = channel;
    channel.onClose(() => {
      if (spare === channel) spare = null;
    });
    setTimeout(() => spare === channel && void dropSpare(), SPARE_MS).unref();
  };
  const learn = (): Promise<boolean> => {
    if (verdict !== null) return verdict;
    const asked = probe();
    verdict = asked;
    asked.catch(() => {
      verdict = null;
    });
    return asked;
  };

  return {
    isNative: () => known,
    learn,
    send(request: UpstreamRequest, listener: UpstreamListener) {
      if (known !== null) return (known ? native : bridge).send(request, listener);
      learn().then(
        (isNative) => (isNative ? native : bridge).send(request, listener),
        (error) => listener.onFailure(failureOf(error)),
      );
    },
    onToolsChanged(listener) {
      bridge.onToolsChanged(listener);
      native.onToolsChanged(listener);
    },
    underWay: () => bridge.underWay() + native.underWay(),
    async close() {
      await Promise.all([bridge.close(), native.close(), dropSpare()]);
      await table.close();
    },
  };
}
