import { answerAtOnce } from "../channel/delivery.ts";
import { asObject, errorText, kindOf, RPC } from "../channel/messages.ts";
import type { UpstreamListener, UpstreamRequest } from "../types.ts";
import { collect, resultOf } from "./collect.ts";
import { createElderSession, type ElderSession } from "./elder-session.ts";
import { introduced } from "./elder-translate.ts";
import type { SessionTransport, StatelessFace } from "./types.ts";

export interface ElderOptions {
  /** Sessions cost a little memory each; beyond this the one that was quiet longest ends. */
  readonly maxSessions: number;
  readonly sessionIdleMs: number;
  /** A stateless server must answer for itself by then. */
  readonly openTimeoutMs: number;
  readonly now: () => number;
  /** An id that nobody can guess. */
  readonly newId: () => string;
}

export interface Elder extends SessionTransport {
  /** Whether this is a session of its. */
  knows(sessionId: string | null): boolean;
  close(): void;
}

/**
 * Serves clients from before 2026-07-28 in front of a server that only knows that era: sessions live here, and each
 * request gets what the newer era wants to find in it. What such a server asks of its client can't be asked of these.
 */
export function createElder(face: Pick<StatelessFace, "send">, options: ElderOptions): Elder {
  const { now } = options;
  /** The one used last is the last. */
  const sessions = new Map<string, { readonly session: ElderSession; usedMs: number }>();

  const end = (sessionId: string) => {
    sessions.get(sessionId)?.session.close();
    sessions.delete(sessionId);
  };
  const use = (sessionId: string): ElderSession | null => {
    const found = sessions.get(sessionId);
    if (found === undefined) return null;
    sessions.delete(sessionId);
    sessions.set(sessionId, { ...found, usedMs: now() });
    return found.session;
  };
  const makeRoom = () => {
    for (const [sessionId, { session, usedMs }] of sessions) {
      const idle = now() - usedMs >= options.sessionIdleMs && !session.busy();
      if (!idle && sessions.size < options.maxSessions) return;
      end(sessionId);
    }
  };
  const open = async ({ message, signal }: UpstreamRequest, listener: UpstreamListener) => {
    const params = asObject(message.params) ?? {};
    const clientInfo = asObject(params.clientInfo) ?? { name: "unknown", version: "0" };
    const session = createElderSession(face, clientInfo);
    const bounded = AbortSignal.any([signal, AbortSignal.timeout(options.openTimeoutMs)]);
    const discover = { jsonrpc: "2.0", id: "discover", method: "server/discover", params: {} };
    const collected = await collect("discover", (to) => session.ask(discover, to, bounded));
    const result = introduced(resultOf(collected), params.protocolVersion);
    makeRoom();
    const sessionId = options.newId();
    sessions.set(sessionId, { session, usedMs: now() });
    listener.onHead({ status: 200, sessionId, streaming: false });
    await listener.onMessage({
      text: JSON.stringify({ jsonrpc: "2.0", id: message.id, result }),
      eventId: null,
    });
    listener.onEnd();
  };

  return {
    knows: (sessionId) => sessionId !== null && sessions.has(sessionId),
    send(request, listener) {
      const { message, sessionId, signal } = request;
      if (sessionId === null) {
        open(request, listener).catch((error) =>
          listener.onFailure({
            kind: "connect",
            status: error?.failure?.status ?? null,
            ran: "no",
            message: error instanceof Error ? error.message : String(error),
          }),
        );
        return;
      }
      const session = use(sessionId);
      if (session === null)
        return answerAtOnce(listener, 404, errorText(message.id, RPC.sessionNotFound, "Session not found"));
      if (kindOf(message) === "request") return session.request(message, listener, signal);
      if (message.method === "notifications/cancelled") session.cancel(message);
      answerAtOnce(listener, 202, null);
    },
    listen({ sessionId, signal }, listener) {
      const session = use(sessionId);
      if (session === null)
        return answerAtOnce(listener, 404, errorText(null, RPC.sessionNotFound, "Session not found"));
      session.listen(listener, signal);
    },
    async endSession(sessionId) {
      end(sessionId);
    },
    close() {
      for (const sessionId of [...sessions.keys()]) end(sessionId);
    },
  };
}
