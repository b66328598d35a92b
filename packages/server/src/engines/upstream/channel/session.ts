import type { Log } from "../../../kernel/log.ts";
import type { Message, UpstreamFailure, UpstreamListener } from "../types.ts";
import { type Conversation, createConversation } from "./conversation.ts";
import { createDelivery, type Delivery } from "./delivery.ts";
import type { ChannelLimits } from "./limits.ts";
import { errorText, kindOf, type Read, RPC } from "./messages.ts";
import type { Channel } from "./types.ts";

/** One client's session: a channel of its own, and where the server's own messages go. */
export interface Session {
  readonly id: string;
  /** Sends a request of the client's. */
  request(
    message: Message,
    listener: UpstreamListener,
    signal: AbortSignal,
    onAnswer?: (answer: Message) => number,
  ): void;
  /** Sends a notification or an answer of the client's. */
  write(message: Message): void;
  /** The client listens; an earlier listener of its ends. */
  listen(listener: UpstreamListener, signal: AbortSignal): void;
  /** Whether the client waits for something now. */
  busy(): boolean;
  /** When something last happened, in ms of the clock. */
  lastUsedMs(): number;
  close(): Promise<void>;
}

export interface SessionOptions {
  readonly id: string;
  readonly channel: Channel;
  readonly limits: ChannelLimits;
  readonly log: Log;
  readonly now: () => number;
  onNotification(method: string): void;
  onGone(): void;
}

export function createSession(options: SessionOptions): Session {
  const { limits, log, now } = options;
  let usedMs = now();
  let stream: Delivery | null = null;
  /** For a listener yet to come. */
  let waiting: Read[] = [];
  let waitingChars = 0;
  /** Ids of requests the client has not answered yet. */
  const asked = new Set<unknown>();

  const decline = (request: Message) => {
    asked.delete(request.id);
    conversation.write(
      JSON.parse(errorText(request.id, RPC.internalError, "The client does not take this now.")),
    );
  };
  const keep = (message: Read) => {
    waiting.push(message);
    waitingChars += message.text.length;
    while (waiting.length > limits.maxWaitingMessages || waitingChars > limits.maxWaitingChars) {
      const oldest = waiting.shift();
      if (oldest === undefined) return;
      waitingChars -= oldest.text.length;
      if (kindOf(oldest.parsed) === "request") decline(oldest.parsed);
      else log.debug("a message that nobody listens for was dropped");
    }
  };
  const onOther = (read: Read) => {
    usedMs = now();
    const message = read.parsed;
    const isRequest = kindOf(message) === "request";
    if (isRequest && asked.size >= limits.maxUnderWay) return decline(message);
    if (isRequest) asked.add(message.id);
    else options.onNotification(message.method as string);
    // A request has to reach the client: it waits for an answer, and what runs waits for that.
    const open = stream ?? (isRequest || conversation.underWay === 1 ? conversation.newest() : null);
    if (open === null) keep(read);
    else if (!open.interim(read) && isRequest) decline(message);
  };
  const onClose = (why: UpstreamFailure) => {
    stream?.fail(why);
    stream = null;
    options.onGone();
  };
  const conversation: Conversation = createConversation({
    channel: options.channel,
    limits,
    log,
    onOther,
    onClose,
    waitsForClient: () => asked.size > 0,
  });

  return {
    id: options.id,
    request(message, listener, signal, onAnswer) {
      usedMs = now();
      const seen = (answer: Message) => {
        usedMs = now();
        return onAnswer?.(answer) ?? 200;
      };
      conversation.request(message, listener, {
        signal,
        sessionId: message.method === "initialize" ? options.id : null,
        silenceMs: message.method === "initialize" ? limits.openTimeoutMs : limits.requestIdleMs,
        onAnswer: seen,
      });
    },
    write(message) {
      usedMs = now();
      if (message.method === undefined) asked.delete(message.id);
      if (message.method !== "notifications/cancelled") return conversation.write(message);
      // One that is answered already: the server would not know the id the client gave it.
      if (!conversation.cancel(message)) log.debug("a client cancelled what is not under way");
    },
    listen(listener, signal) {
      usedMs = now();
      // The newer one: a connection may be gone without either end knowing.
      stream?.end();
      listener.onHead({ status: 200, sessionId: null, streaming: true });
      const own = createDelivery({ ...boundListener(listener), onHead: () => {} }, null, limits);
      stream = own;
      const left = waiting;
      waiting = [];
      waitingChars = 0;
      for (const read of left)
        if (!own.interim(read) && kindOf(read.parsed) === "request") decline(read.parsed);
      const stop = () => {
        own.abandon({ kind: "broken", status: null, ran: "no", message: "Nobody listens any more." });
        if (stream === own) stream = null;
        usedMs = now();
      };
      if (signal.aborted) stop();
      else signal.addEventListener("abort", stop, { once: true });
    },
    busy: () => stream !== null || conversation.underWay > 0,
    lastUsedMs: () => usedMs,
    close: () => conversation.close(),
  };
}

/** Methods may live on a prototype, which a spread would lose. */
const boundListener = (listener: UpstreamListener): UpstreamListener => ({
  onHead: (head) => listener.onHead(head),
  onMessage: (message) => listener.onMessage(message),
  onEnd: () => listener.onEnd(),
  onFailure: (failure) => listener.onFailure(failure),
});
