import type { Message, Upstream, UpstreamFailure, UpstreamHead, UpstreamRequest } from "../../types.ts";

// biome-ignore lint/suspicious/noExplicitAny: tests look into messages of every shape
type Json = any;

/** All that came of an exchange. */
export interface Seen {
  head: UpstreamHead | null;
  readonly texts: string[];
  readonly messages: Json[];
  ended: boolean;
  failure: UpstreamFailure | null;
  /** Resolves at its end, whatever that is. */
  readonly done: Promise<void>;
  /** Resolves with the first message that fits, also one that was there before. */
  until(fits: (message: Json) => boolean): Promise<Json>;
}

export interface Ask {
  readonly era?: "stateless" | "session";
  readonly sessionId?: string | null;
  readonly signal?: AbortSignal;
  /** What the reader does with each message. */
  readonly read?: (text: string) => void | Promise<void>;
}

type Sends = Pick<Upstream, "send">;

/** Sends a message and keeps what comes; every promise of the listener's contract is checked on the way. */
export function exchange(upstream: Sends, message: Message, ask: Ask = {}): Seen {
  const request: UpstreamRequest = {
    message,
    era: ask.era ?? "session",
    sessionId: ask.sessionId ?? null,
    headers: {},
    signal: ask.signal ?? new AbortController().signal,
  };
  return watching((listener) => upstream.send(request, listener), ask.read);
}

export function listening(upstream: Pick<Upstream, "listen">, sessionId: string, signal: AbortSignal): Seen {
  return watching((listener) =>
    upstream.listen({ sessionId, headers: {}, lastEventId: null, signal }, listener),
  );
}

function watching(start: (listener: Parameters<Upstream["send"]>[1]) => void, read?: Ask["read"]): Seen {
  let finish = () => {};
  const waiting: { fits: (message: Json) => boolean; resolve: (message: Json) => void }[] = [];
  const seen: Seen = {
    head: null,
    texts: [],
    messages: [],
    ended: false,
    failure: null,
    done: new Promise((resolve) => {
      finish = resolve;
    }),
    until: (fits) =>
      new Promise((resolve) => {
        const there = seen.messages.find(fits);
        if (there !== undefined) resolve(there);
        else waiting.push({ fits, resolve });
      }),
  };
  const over = () => seen.ended || seen.failure !== null;
  start({
    onHead(head) {
      if (seen.head !== null || over()) throw new Error("a second head, or one after the end");
      seen.head = head;
    },
    onMessage({ text }) {
      if (seen.head === null || over()) throw new Error("a message before the head or after the end");
      const message = JSON.parse(text);
      seen.texts.push(text);
      seen.messages.push(message);
      for (const one of waiting) if (one.fits(message)) one.resolve(message);
      return read?.(text);
    },
    onEnd() {
      if (seen.head === null || over()) throw new Error("an end without a head, or a second one");
      seen.ended = true;
      finish();
    },
    onFailure(failure) {
      if (over()) throw new Error("a second end");
      seen.failure = failure;
      finish();
    },
  });
  return seen;
}

/** Sends and waits for the end. */
export async function asked(upstream: Sends, message: Message, ask: Ask = {}): Promise<Seen> {
  const seen = exchange(upstream, message, ask);
  await seen.done;
  return seen;
}

let lastId = 1000;

export function request(method: string, params: Message = {}, id: string | number = ++lastId): Message {
  return { jsonrpc: "2.0", id, method, params };
}

export const call = (name: string, args: Message = {}, meta?: Message): Message =>
  request("tools/call", { name, arguments: args, ...(meta ? { _meta: meta } : {}) });

/** What a client of 2026-07-28 puts into every request. */
export function stateless(message: Message, more: Message = {}): Message {
  const params = message.params as Message;
  const _meta = {
    ...(params._meta as Message),
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": { name: "test", version: "1" },
    ...more,
  };
  return { ...message, params: { ...params, _meta } };
}

/** Opens a session as a client does and gives its id. */
export async function openSession(upstream: Sends, capabilities: Message = {}): Promise<string> {
  const initialize = request("initialize", {
    protocolVersion: "2025-06-18",
    capabilities,
    clientInfo: { name: "test", version: "1" },
  });
  const opened = await asked(upstream, initialize);
  const sessionId = opened.head?.sessionId;
  if (!sessionId) throw new Error(`no session: ${JSON.stringify(opened.failure ?? opened.messages)}`);
  await asked(upstream, { jsonrpc: "2.0", method: "notifications/initialized" }, { sessionId });
  return sessionId;
}
