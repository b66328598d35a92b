import type { Log } from "../../../kernel/log.ts";
import { type Message, UpstreamError, type UpstreamFailure, type UpstreamListener } from "../types.ts";
import { createDelivery, type Delivery } from "./delivery.ts";
import type { ChannelLimits } from "./limits.ts";
import { asObject, kindOf, metaOf, parseMessage, type Read, restored, SUBSCRIPTION_ID } from "./messages.ts";
import {
  answerEdits,
  cancellation,
  type Names,
  namesOf,
  outgoing,
  subscriptionEdits,
  tokenEdits,
} from "./rewrite.ts";
import type { Channel } from "./types.ts";

/** Requests and answers over one channel: any number at once, each caller hears of its own alone. */
export interface Conversation {
  /** Sends a request under an id of its own. Exactly one end comes to the listener. */
  request(message: Message, listener: UpstreamListener, how: RequestHow): void;
  /** The client cancels a request of its own by the id it gave it; true when there is such a one. */
  cancel(notification: Message): boolean;
  /** Sends a notification, or an answer to the server, as it is. */
  write(message: Message): void;
  readonly underWay: number;
  /** Who waits for the answer to the request that was sent last. */
  newest(): Delivery | null;
  /** Closes the channel; what is under way fails. */
  close(): Promise<void>;
}

export interface RequestHow {
  readonly signal: AbortSignal;
  /** What the head says. */
  readonly sessionId: string | null;
  /** Fails after this much silence; null: never. */
  readonly silenceMs: number | null;
  /** HTTP status of an answer, and a look at it before it goes out. */
  onAnswer?(answer: Message): number;
}

export interface ConversationOptions {
  readonly channel: Channel;
  readonly limits: ChannelLimits;
  readonly log: Log;
  /** A request of the server's, or a notification that belongs to no request. */
  onOther(message: Read): void;
  onClose(failure: UpstreamFailure): void;
  /** Whether silence is the client's fault: the server waits for an answer of its. */
  waitsForClient(): boolean;
}

interface Exchange extends Names {
  readonly delivery: Delivery;
  readonly how: RequestHow;
  timer: NodeJS.Timeout | null;
  readonly onAbort: () => void;
  readonly isTask: boolean;
}

const failure = (kind: UpstreamFailure["kind"], ran: "no" | "maybe", message: string): UpstreamFailure => ({
  kind,
  status: null,
  ran,
  message,
});

export function createConversation(options: ConversationOptions): Conversation {
  const { channel, limits, log } = options;
  const exchanges = new Map<number, Exchange>();
  /** Progress of tasks goes on after the answer that names the task. */
  const taskTokens = new Map<number, string | number>();
  let lastId = 0;
  let closed: UpstreamFailure | null = null;

  const take = (wireId: number): Exchange | null => {
    const exchange = exchanges.get(wireId);
    if (exchange === undefined) return null;
    exchanges.delete(wireId);
    if (exchange.timer !== null) clearTimeout(exchange.timer);
    exchange.how.signal.removeEventListener("abort", exchange.onAbort);
    return exchange;
  };
  /** Resolves or rejects later, if the other side is slow; the caller of `request` waits for its answer anyway. */
  const put = (message: Message, onRefused: (failure: UpstreamFailure) => void) => {
    const sent = channel.send(JSON.stringify(message));
    sent?.catch((error) => {
      onRefused(error instanceof UpstreamError ? error.failure : failure("broken", "maybe", String(error)));
    });
  };
  const tell = (message: Message) => {
    if (closed === null)
      put(message, (why) => log.warn({ failure: why.kind }, "a message to an MCP server did not go out"));
  };
  /** Takes an exchange out and tells the server that nobody waits for it any more. */
  const drop = (wireId: number): Exchange | null => {
    const exchange = take(wireId);
    if (exchange !== null) tell(cancellation(wireId));
    return exchange;
  };
  const onSilence = (wireId: number, exchange: Exchange) => {
    if (options.waitsForClient()) {
      exchange.timer?.refresh();
      return;
    }
    drop(wireId)?.delivery.fail(
      failure(
        "timeout",
        "maybe",
        `The server was silent for ${Math.round((exchange.how.silenceMs ?? 0) / 1000)} s.`,
      ),
    );
  };

  const onAnswer = (message: Message, text: string) => {
    const wireId = message.id;
    const exchange = typeof wireId === "number" ? take(wireId) : null;
    if (exchange === null || typeof wireId !== "number") {
      log.debug("an MCP server answered what nobody waits for");
      return;
    }
    if (exchange.isTask && exchange.clientToken !== null) keepToken(wireId, exchange.clientToken);
    const status = exchange.how.onAnswer?.(message) ?? 200;
    exchange.delivery.answer(restored(text, message, answerEdits(message, wireId, exchange)), status);
  };
  const keepToken = (wireId: number, token: string | number) => {
    taskTokens.set(wireId, token);
    if (taskTokens.size <= limits.maxTaskTokens) return;
    for (const oldest of taskTokens.keys()) {
      taskTokens.delete(oldest);
      return;
    }
  };
  const interim = (exchange: Exchange, message: Read) => {
    exchange.timer?.refresh();
    if (!exchange.delivery.interim(message)) log.debug("a message for a slow reader was dropped");
  };
  const onProgress = (message: Message, text: string) => {
    const token = asObject(message.params)?.progressToken;
    if (typeof token !== "number") return;
    const exchange = exchanges.get(token);
    if (exchange !== undefined && exchange.clientToken !== null)
      return interim(exchange, restored(text, message, tokenEdits(exchange.clientToken)));
    const task = taskTokens.get(token);
    if (task !== undefined) options.onOther(restored(text, message, tokenEdits(task)));
  };
  const onNotification = (message: Message, text: string) => {
    if (message.method === "notifications/progress") return onProgress(message, text);
    const subscription = metaOf(message)?.[SUBSCRIPTION_ID];
    if (subscription === undefined) return options.onOther({ text, parsed: message });
    const exchange = typeof subscription === "number" ? exchanges.get(subscription) : undefined;
    if (exchange !== undefined)
      interim(exchange, restored(text, message, subscriptionEdits(exchange.clientId)));
  };

  channel.onMessage((text) => {
    const message = parseMessage(text);
    const kind = message === null ? "nonsense" : kindOf(message);
    if (message === null || kind === "nonsense") {
      log.warn({ length: text.length }, "an MCP server sent what is no JSON-RPC message; it was dropped");
    } else if (kind === "answer") onAnswer(message, text);
    else if (kind === "notification") onNotification(message, text);
    else options.onOther({ text, parsed: message });
  });
  channel.onTooLarge?.((id) => {
    const why = failure("too_large", "maybe", "The server's answer is larger than may be passed on.");
    // Without an id it may be anyone's answer, and nobody must wait for ever.
    const lost = id === null ? [...exchanges.keys()] : typeof id === "number" ? [id] : [];
    for (const wireId of lost) take(wireId)?.delivery.fail(why);
  });
  channel.onClose((why) => {
    if (closed !== null) return;
    closed = why;
    for (const wireId of [...exchanges.keys()]) take(wireId)?.delivery.fail(why);
    options.onClose(why);
  });

  return {
    get underWay() {
      return exchanges.size;
    },
    newest() {
      let newest: Delivery | null = null;
      for (const { delivery } of exchanges.values()) newest = delivery;
      return newest;
    },
    request(message, listener, how) {
      if (closed !== null) return listener.onFailure({ ...closed, ran: "no" });
      if (how.signal.aborted) return listener.onFailure(failure("broken", "no", "The call was cancelled."));
      if (exchanges.size >= limits.maxUnderWay)
        return listener.onFailure(
          failure("refused", "no", `More than ${limits.maxUnderWay} requests are under way.`),
        );
      lastId += 1;
      const wireId = lastId;
      const names = namesOf(message);
      const delivery = createDelivery(listener, how.sessionId, limits);
      const exchange: Exchange = {
        ...names,
        delivery,
        how,
        timer: null,
        isTask: asObject(message.params)?.task !== undefined,
        onAbort: () => drop(wireId)?.delivery.abandon(failure("broken", "maybe", "The call was cancelled.")),
      };
      if (how.silenceMs !== null)
        exchange.timer = setTimeout(() => onSilence(wireId, exchange), how.silenceMs).unref();
      how.signal.addEventListener("abort", exchange.onAbort, { once: true });
      exchanges.set(wireId, exchange);
      put(outgoing(message, names, wireId), (why) => take(wireId)?.delivery.fail(why));
    },
    cancel(notification) {
      const params = asObject(notification.params);
      for (const [wireId, exchange] of exchanges) {
        if (exchange.clientId !== params?.requestId) continue;
        tell(cancellation(wireId, params));
        const end = () =>
          take(wireId)?.delivery.fail(failure("broken", "maybe", "The client cancelled the request."));
        setTimeout(end, limits.cancelGraceMs).unref();
        return true;
      }
      return false;
    },
    write: tell,
    close: () => channel.close(),
  };
}
