import type { Log } from "../../../kernel/log.ts";
import { collect, resultOf } from "../bridge/collect.ts";
import { statusOf } from "../bridge/translate.ts";
import type { StatelessFace } from "../bridge/types.ts";
import type { Message } from "../types.ts";
import { UpstreamError, type UpstreamListener, type UpstreamRequest } from "../types.ts";
import { type Conversation, createConversation } from "./conversation.ts";
import { answerAtOnce, untilOver } from "./delivery.ts";
import type { ChannelLimits } from "./limits.ts";
import { asObject, errorText, kindOf, RPC, STATELESS_VERSION, statelessMeta } from "./messages.ts";
import type { Channel, ChannelFactory } from "./types.ts";

export interface NativeOptions {
  readonly open: ChannelFactory;
  readonly limits: ChannelLimits;
  readonly log: Log;
  readonly clientInfo: Message;
}

/** A channel whose server speaks the stateless era: everyone's requests go over it as they are, but for their ids. */
export function createNative(options: NativeOptions): StatelessFace & { adopt(talk: Talk): void } {
  const { limits } = options;
  const toolsChanged = new Set<() => void>();
  let current: Promise<Talk> | null = null;
  let ending: Promise<void> = Promise.resolve();
  let idle: NodeJS.Timeout | null = null;
  let clients = 0;
  let opened = 0;

  const adopt = (talk: Talk, as: Promise<Talk> = Promise.resolve(talk)) => {
    current = as;
    opened += 1;
    talk.onGone(() => {
      if (current === as) current = null;
    });
    watchTools(talk);
    // Another start of the server may bring other tools.
    if (opened > 1) for (const listener of toolsChanged) listener();
  };
  /** A subscription of our own, as long as the channel lives. */
  const watchTools = (talk: Talk) => {
    const message = {
      jsonrpc: "2.0",
      id: "tools",
      method: "subscriptions/listen",
      params: { notifications: { toolsListChanged: true }, _meta: statelessMeta(options.clientInfo) },
    };
    const listener: UpstreamListener = {
      onHead() {},
      onMessage({ text }) {
        if (JSON.parse(text).method === "notifications/tools/list_changed")
          for (const changed of toolsChanged) changed();
      },
      onEnd() {},
      onFailure() {},
    };
    talk.conversation.request(message, listener, forever);
  };
  const get = (): Promise<Talk> => {
    if (current !== null) return current;
    const opening: Promise<Talk> = ending
      .then(() => options.open(AbortSignal.timeout(limits.openTimeoutMs)))
      .then((channel) => {
        const talk = startTalk(channel, options);
        if (current === opening) adopt(talk, opening);
        return talk;
      });
    current = opening;
    opening.catch(() => {
      if (current === opening) current = null;
    });
    return opening;
  };
  const close = async () => {
    const open = current;
    current = null;
    const talk = await open?.catch(() => null);
    await talk?.conversation.close();
  };
  const counted = (listener: UpstreamListener): UpstreamListener => {
    clients += 1;
    if (idle !== null) clearTimeout(idle);
    return untilOver(listener, () => {
      clients -= 1;
      if (clients > 0) return;
      idle = setTimeout(() => {
        ending = close();
      }, limits.sharedIdleMs).unref();
    });
  };

  return {
    adopt,
    send({ message, signal }: UpstreamRequest, listener) {
      const kind = kindOf(message);
      // Its ids are the client's own, and others share the channel; a request is cancelled by closing its stream.
      if (kind === "notification") return answerAtOnce(listener, 202, null);
      if (kind !== "request")
        return answerAtOnce(
          listener,
          400,
          errorText(null, RPC.invalidRequest, "Only requests are taken here."),
        );
      const own = counted(listener);
      const silenceMs = message.method === "subscriptions/listen" ? null : limits.requestIdleMs;
      get().then(
        ({ conversation }) =>
          conversation.request(message, own, { signal, sessionId: null, silenceMs, onAnswer: statusOf }),
        (error) =>
          own.onFailure(
            error instanceof UpstreamError
              ? error.failure
              : { kind: "connect", status: null, ran: "no", message: String(error) },
          ),
      );
    },
    onToolsChanged: (listener) => void toolsChanged.add(listener),
    underWay: () => clients,
    async close() {
      if (idle !== null) clearTimeout(idle);
      await close();
      await ending;
    },
  };
}

const forever = { signal: new AbortController().signal, sessionId: null, silenceMs: null };

/** A conversation nobody has claimed yet. */
export interface Talk {
  readonly channel: Channel;
  readonly conversation: Conversation;
  /** Called when the channel has closed, also when it already has. */
  onGone(listener: () => void): void;
}

export function startTalk(channel: Channel, { limits, log }: Pick<NativeOptions, "limits" | "log">): Talk {
  let gone = false;
  let tell = () => {};
  const conversation = createConversation({
    channel,
    limits,
    log,
    // Belongs to no request: it may concern any of those who share the channel, so nobody is told.
    onOther({ parsed: message }) {
      if (kindOf(message) !== "request") return;
      const error = { code: RPC.methodNotFound, message: "Requests to the client are not part of this era." };
      conversation.write({ jsonrpc: "2.0", id: message.id, error });
    },
    onClose() {
      gone = true;
      tell();
    },
    waitsForClient: () => false,
  });
  return {
    channel,
    conversation,
    onGone(listener) {
      tell = listener;
      if (gone) listener();
    },
  };
}

/** Whether the server at the other end speaks the stateless era. A server that does not answer in time does not. */
export async function speaksStateless(talk: Talk, clientInfo: Message, timeoutMs: number): Promise<boolean> {
  const message = {
    jsonrpc: "2.0",
    id: "discover",
    method: "server/discover",
    params: { _meta: statelessMeta(clientInfo) },
  };
  const how = { signal: new AbortController().signal, sessionId: null, silenceMs: timeoutMs };
  try {
    const collected = await collect("discover", (listener) =>
      talk.conversation.request(message, listener, how),
    );
    const versions = asObject(resultOf(collected))?.supportedVersions;
    return Array.isArray(versions) && versions.includes(STATELESS_VERSION);
  } catch {
    return false;
  }
}
