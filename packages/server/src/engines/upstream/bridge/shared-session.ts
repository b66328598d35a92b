import type { Log } from "../../../kernel/log.ts";
import { kindOf, parseMessage, RPC } from "../channel/messages.ts";
import { type Message, UpstreamError, type UpstreamFailure, type UpstreamRequest } from "../types.ts";
import { collect, resultOf } from "./collect.ts";
import type { BridgeLimits } from "./limits.ts";
import { type Introduction, readIntroduction } from "./translate.ts";
import type { SessionTransport } from "./types.ts";

/** A session of our own that all stateless clients of a server share. */
export interface SharedSession {
  /** Null: the server gave none, and wants none. */
  readonly id: string | null;
  readonly introduction: Introduction;
  /** Sent with everything in it. */
  readonly headers: Readonly<Record<string, string>>;
}

export interface SharedSessionOptions {
  readonly transport: SessionTransport;
  readonly clientInfo: Message;
  readonly limits: BridgeLimits;
  readonly log: Log;
  onNotification(message: Message, text: string): void;
  /** A session takes the place of one that was lost. */
  onRenewed(): void;
  onLost(): void;
}

export interface SharedSessions {
  /** The session; opened when there is none. One opening serves everyone who waits. */
  get(): Promise<SharedSession>;
  /** The server does not know it any more: the next `get` opens another. */
  lost(session: SharedSession): void;
  /** Answers what the server asks of a client: there is none who could. */
  decline(session: SharedSession, request: Message): void;
  /** Ends it; `get` opens another. */
  close(): Promise<void>;
}

/** Where listening goes on. */
interface Listening {
  readonly retryMs: number;
  readonly lastEventId: string | null;
}

/** Older than the newest with sessions: to later ones servers may end a stream in the middle and have it resumed. */
const OFFERED_VERSION = "2025-06-18";

export function createSharedSessions(options: SharedSessionOptions): SharedSessions {
  const { transport, limits, log } = options;
  let current: Promise<SharedSession> | null = null;
  let ending = new AbortController();
  let opened = 0;

  const send = (session: SharedSession | null, message: Message, signal: AbortSignal): UpstreamRequest => ({
    message,
    era: "session",
    sessionId: session?.id ?? null,
    headers: session?.headers ?? {},
    signal,
  });
  /** Sends what has no answer; that it got lost shows elsewhere. */
  const tell = (session: SharedSession, message: Message): Promise<void> =>
    new Promise((resolve) => {
      transport.send(send(session, message, ending.signal), {
        onHead() {},
        onMessage() {},
        onEnd: resolve,
        onFailure({ message: why }) {
          log.debug({ why }, "a message to an MCP server did not get there");
          resolve();
        },
      });
    });
  const decline = (session: SharedSession, { id, method }: Message) => {
    const error = { code: RPC.methodNotFound, message: "The client has no such method." };
    void tell(
      session,
      method === "ping" ? { jsonrpc: "2.0", id, result: {} } : { jsonrpc: "2.0", id, error },
    );
  };

  const open = async (own: AbortSignal): Promise<SharedSession> => {
    const signal = AbortSignal.any([own, AbortSignal.timeout(limits.openTimeoutMs)]);
    const params = { protocolVersion: OFFERED_VERSION, capabilities: {}, clientInfo: options.clientInfo };
    const message = { jsonrpc: "2.0", id: 0, method: "initialize", params };
    const collected = await collect(0, (listener) => transport.send(send(null, message, signal), listener));
    const introduction = readIntroduction(resultOf(collected));
    if (introduction === null) throw new UpstreamError(notMcp);
    const session: SharedSession = {
      id: collected.head.sessionId,
      introduction,
      headers: { "mcp-protocol-version": introduction.protocolVersion },
    };
    await tell(session, { jsonrpc: "2.0", method: "notifications/initialized" });
    if (session.id !== null) listen(session, session.id, own, { retryMs: 0, lastEventId: null });
    opened += 1;
    if (opened > 1) options.onRenewed();
    return session;
  };
  /** Hears what the server says by itself, as long as the session lives. */
  const listen = (session: SharedSession, sessionId: string, signal: AbortSignal, from: Listening) => {
    let status = 0;
    let lastEventId = from.lastEventId;
    const began = Date.now();
    const again = () => {
      if (signal.aborted) return;
      if (status === 404) return lost(session);
      // The server has no such stream: not an error.
      if (status === 405 || status === 501) return;
      const lasted = Date.now() - began > limits.lastListenRetryMs;
      const doubledMs = Math.min(from.retryMs * 2, limits.lastListenRetryMs);
      const retryMs = lasted ? limits.firstListenRetryMs : Math.max(doubledMs, limits.firstListenRetryMs);
      const next = () => signal.aborted || listen(session, sessionId, signal, { retryMs, lastEventId });
      setTimeout(next, retryMs).unref();
    };
    transport.listen(
      { sessionId, headers: session.headers, lastEventId, signal },
      {
        onHead(head) {
          status = head.status;
        },
        onMessage({ text, parsed, eventId }) {
          lastEventId = eventId ?? lastEventId;
          const message = parsed ?? parseMessage(text);
          const kind = message === null ? "nonsense" : kindOf(message);
          if (message !== null && kind === "request") decline(session, message);
          else if (message !== null && kind === "notification") options.onNotification(message, text);
        },
        onEnd: again,
        onFailure(failure) {
          status = failure.status ?? status;
          again();
        },
      },
    );
  };
  const known = new WeakMap<SharedSession, Promise<SharedSession>>();
  const lost = (session: SharedSession) => {
    if (current === null || known.get(session) !== current) return;
    current = null;
    // What is under way in it goes on: its signals are its callers'.
    ending.abort();
    ending = new AbortController();
    options.onLost();
  };

  return {
    get() {
      if (current !== null) return current;
      const opening = open(ending.signal);
      current = opening;
      opening.then(
        (session) => known.set(session, opening),
        () => {
          if (current === opening) current = null;
        },
      );
      return opening;
    },
    lost,
    decline,
    async close() {
      const ended = current;
      current = null;
      ending.abort();
      ending = new AbortController();
      const session = await ended?.catch(() => null);
      if (session?.id) await transport.endSession(session.id);
    },
  };
}

const notMcp: UpstreamFailure = {
  kind: "body",
  status: null,
  ran: "no",
  message: "The server's answer to initialize is no such answer.",
};
