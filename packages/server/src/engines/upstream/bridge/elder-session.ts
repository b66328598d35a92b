import { answerAtOnce, createDelivery, type Delivery } from "../channel/delivery.ts";
import { channelLimits } from "../channel/limits.ts";
import {
  asObject,
  errorText,
  kindOf,
  parseMessage,
  type Read,
  RPC,
  STATELESS_VERSION,
} from "../channel/messages.ts";
import type { Message, UpstreamListener, UpstreamMessage } from "../types.ts";
import { isKnownToBoth, withoutResultType, withoutSubscription, withProtocol } from "./elder-translate.ts";
import type { StatelessFace } from "./types.ts";

/** One older client's session with a stateless server. */
export interface ElderSession {
  /** A request as the client sent it. */
  request(message: Message, listener: UpstreamListener, signal: AbortSignal): void;
  /** A request that is not the client's; its answer comes as the server gave it. */
  ask(message: Message, listener: UpstreamListener, signal: AbortSignal): void;
  cancel(notification: Message): void;
  listen(listener: UpstreamListener, signal: AbortSignal): void;
  busy(): boolean;
  close(): void;
}

const CHANGES = { toolsListChanged: true, promptsListChanged: true, resourcesListChanged: true };

export function createElderSession(face: Pick<StatelessFace, "send">, clientInfo: Message): ElderSession {
  /** By the client's id: of several with the same one, the last. */
  const underWay = new Map<unknown, AbortController>();
  const ended = new AbortController();
  let stream: Delivery | null = null;

  const ask = (message: Message, listener: UpstreamListener, signal: AbortSignal) =>
    face.send(
      {
        message: withProtocol(message, clientInfo),
        era: "stateless",
        sessionId: null,
        headers: { "mcp-protocol-version": STATELESS_VERSION },
        signal,
      },
      listener,
    );
  const translating = (message: Message, listener: UpstreamListener, over: () => void): UpstreamListener => ({
    onHead: (head) => listener.onHead({ ...head, status: sessionStatus(head.status) }),
    onMessage(came) {
      const read = readOf(came);
      if (read === null) return;
      const own = kindOf(read.parsed) === "answer" ? withoutResultType(read, message.method) : read;
      return listener.onMessage({ ...own, eventId: null });
    },
    onEnd() {
      over();
      listener.onEnd();
    },
    onFailure(failure) {
      over();
      listener.onFailure(failure);
    },
  });
  /** Hears of changes, as long as the client listens. */
  const subscribe = (to: Delivery, signal: AbortSignal) => {
    const params = { notifications: CHANGES };
    const message = { jsonrpc: "2.0", id: "changes", method: "subscriptions/listen", params };
    const end = () => to.end();
    ask(
      message,
      {
        onHead() {},
        onMessage(came) {
          const read = readOf(came);
          const method = read?.parsed.method;
          if (read === null || typeof method !== "string" || !method.endsWith("/list_changed")) return;
          const parsed = withoutSubscription(read.parsed);
          to.interim({ text: JSON.stringify(parsed), parsed });
        },
        onEnd: end,
        // Servers without subscriptions: the stream stays open and silent, as it would with an older server.
        onFailure: ({ kind }) => kind === "broken" && end(),
      },
      signal,
    );
  };

  return {
    ask,
    request(message, listener, signal) {
      const method = message.method as string;
      if (method === "ping") {
        answerAtOnce(listener, 200, JSON.stringify({ jsonrpc: "2.0", id: message.id, result: {} }));
        return;
      }
      if (!isKnownToBoth(method)) {
        answerAtOnce(listener, 200, errorText(message.id, RPC.methodNotFound, "Method not found"));
        return;
      }
      const own = new AbortController();
      underWay.set(message.id, own);
      const over = () => {
        if (underWay.get(message.id) === own) underWay.delete(message.id);
      };
      ask(message, translating(message, listener, over), AbortSignal.any([signal, own.signal, ended.signal]));
    },
    cancel(notification) {
      underWay.get(asObject(notification.params)?.requestId)?.abort();
    },
    listen(listener, signal) {
      stream?.end();
      listener.onHead({ status: 200, sessionId: null, streaming: true });
      const own = createDelivery(headless(listener), null, channelLimits);
      stream = own;
      const all = AbortSignal.any([signal, ended.signal]);
      const stop = () => {
        own.abandon({ kind: "broken", status: null, ran: "no", message: "Nobody listens any more." });
        if (stream === own) stream = null;
      };
      if (all.aborted) return stop();
      all.addEventListener("abort", stop, { once: true });
      subscribe(own, all);
    },
    busy: () => stream !== null || underWay.size > 0,
    close: () => ended.abort(),
  };
}

/** In the older eras an unknown method is no missing page, and 404 means that the session is gone. */
const sessionStatus = (status: number) => (status === 404 || status === 400 ? 200 : status);

const headless = (listener: UpstreamListener): UpstreamListener => ({
  onHead() {},
  onMessage: (message) => listener.onMessage(message),
  onEnd: () => listener.onEnd(),
  onFailure: (failure) => listener.onFailure(failure),
});

function readOf({ text, parsed }: UpstreamMessage): Read | null {
  const message = parsed ?? parseMessage(text);
  return message === null ? null : { text, parsed: message };
}
