import type { Log } from "../../../kernel/log.ts";
import type { SessionTransport } from "../bridge/types.ts";
import {
  type Message,
  UpstreamError,
  type UpstreamFailure,
  type UpstreamListener,
  type UpstreamRequest,
} from "../types.ts";
import { answerAtOnce } from "./delivery.ts";
import type { ChannelLimits } from "./limits.ts";
import { errorCodeOf, errorText, kindOf, RPC } from "./messages.ts";
import { createSession, type Session } from "./session.ts";
import type { ChannelFactory } from "./types.ts";

export interface SessionTableOptions {
  readonly open: ChannelFactory;
  readonly limits: ChannelLimits;
  readonly log: Log;
  readonly now: () => number;
  /** An id that nobody can guess. */
  readonly newId: () => string;
  /** How many sessions there may be. */
  readonly maxSessions: number;
  onNotification(method: string): void;
  onLimit(limit: string): void;
}

export interface SessionTable extends SessionTransport {
  /** Sessions, open and opening. */
  size(): number;
  /** Exchanges and listeners: whether anybody waits for something. */
  busy(): boolean;
  /** Ends sessions in which nothing happened for the idle time. */
  sweep(): void;
  close(): Promise<void>;
}

/** Sessions of clients, each with a channel of its own. */
export function createSessionTable(options: SessionTableOptions): SessionTable {
  const { limits, log, now } = options;
  const sessions = new Map<string, Session>();
  const closing = new Set<Promise<void>>();
  let opening = 0;
  let closed = false;

  const forget = (session: Session): Promise<void> => {
    if (sessions.get(session.id) === session) sessions.delete(session.id);
    const ended = session.close();
    closing.add(ended);
    return ended.finally(() => closing.delete(ended));
  };
  /** What is ending still has its process, and counts. */
  const count = () => sessions.size + closing.size + opening;
  /** Takes a place among those that are opening; ends a session that is quiet for it, if need be. */
  const reserve = async (): Promise<boolean> => {
    opening += 1;
    if (count() <= options.maxSessions) return true;
    const quiet = [...sessions.values()]
      .filter((session) => !session.busy() && now() - session.lastUsedMs() >= limits.sessionEvictableAfterMs)
      .sort((a, b) => a.lastUsedMs() - b.lastUsedMs());
    if (quiet[0] !== undefined) await forget(quiet[0]);
    if (count() <= options.maxSessions) return true;
    opening -= 1;
    return false;
  };

  const initialize = async ({ message, signal }: UpstreamRequest, listener: UpstreamListener) => {
    if (closed) return listener.onFailure(connectFailure("The server is being shut down."));
    if (!(await reserve())) {
      options.onLimit("gateway_sessions_per_server");
      const why = `The server has ${options.maxSessions} sessions, as many as it may have. End one, or wait.`;
      return listener.onFailure({ kind: "refused", status: null, ran: "no", message: why });
    }
    let session: Session;
    try {
      const channel = await options.open(signal);
      session = createSession({
        id: options.newId(),
        channel,
        limits,
        log,
        now,
        onNotification: options.onNotification,
        onGone: () => void forget(session),
      });
    } catch (error) {
      return listener.onFailure(failureOf(error));
    } finally {
      opening -= 1;
    }
    if (closed) void forget(session);
    else sessions.set(session.id, session);
    session.request(message, endingWith(listener, session), signal, (answer) => {
      if (errorCodeOf(answer) !== null) void forget(session);
      return 200;
    });
  };
  /** A session without an answer to `initialize` is none. */
  const endingWith = (listener: UpstreamListener, session: Session): UpstreamListener => ({
    onHead: (head) => listener.onHead(head),
    onMessage: (message) => listener.onMessage(message),
    onEnd: () => listener.onEnd(),
    onFailure: (failure) => {
      void forget(session);
      // Nothing of a client's has run yet, whatever became of the program.
      listener.onFailure({ ...failure, ran: "no" });
    },
  });

  return {
    send(request, listener) {
      const { message, sessionId } = request;
      const kind = kindOf(message);
      if (kind === "request" && message.method === "initialize" && sessionId === null)
        return void initialize(request, listener).catch((err) =>
          log.error({ err }, "opening a session failed"),
        );
      if (sessionId === null)
        return answerAtOnce(
          listener,
          400,
          errorText(message.id, RPC.invalidRequest, "The session's id is missing: initialize first."),
        );
      const session = sessions.get(sessionId);
      if (session === undefined) return notFound(message, listener);
      if (kind === "request") return session.request(message, listener, request.signal);
      session.write(message);
      answerAtOnce(listener, 202, null);
    },
    listen({ sessionId, signal }, listener) {
      const session = sessions.get(sessionId);
      if (session === undefined) return notFound({}, listener);
      session.listen(listener, signal);
    },
    async endSession(sessionId) {
      const session = sessions.get(sessionId);
      if (session !== undefined) await forget(session);
    },
    size: count,
    busy: () => opening > 0 || [...sessions.values()].some((session) => session.busy()),
    sweep() {
      for (const session of sessions.values())
        if (!session.busy() && now() - session.lastUsedMs() >= limits.sessionIdleMs) void forget(session);
    },
    async close() {
      closed = true;
      await Promise.all([...sessions.values()].map(forget));
      await Promise.all(closing);
    },
  };
}

function notFound(message: Message, listener: UpstreamListener): void {
  answerAtOnce(listener, 404, errorText(message.id, RPC.sessionNotFound, "Session not found"));
}

const connectFailure = (message: string): UpstreamFailure => ({
  kind: "connect",
  status: null,
  ran: "no",
  message,
});

export function failureOf(error: unknown): UpstreamFailure {
  if (error instanceof UpstreamError) return error.failure;
  return connectFailure(error instanceof Error ? error.message : String(error));
}
