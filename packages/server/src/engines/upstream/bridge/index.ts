import type { Log } from "../../../kernel/log.ts";
import { answerAtOnce, untilOver } from "../channel/delivery.ts";
import { errorText, kindOf, RPC, STATELESS_VERSION } from "../channel/messages.ts";
import { type Message, UpstreamError, type UpstreamListener, type UpstreamRequest } from "../types.ts";
import { forward } from "./forward.ts";
import { type BridgeLimits, bridgeLimits } from "./limits.ts";
import { createSharedSessions, type SharedSession } from "./shared-session.ts";
import { createSubscriptions } from "./subscriptions.ts";
import { discovered, foreignVersion, isAvailable } from "./translate.ts";
import type { SessionTransport, StatelessFace } from "./types.ts";

export { createElder, type Elder, type ElderOptions } from "./elder.ts";
export type { SessionTransport, StatelessFace } from "./types.ts";

export interface BridgeOptions {
  readonly log: Log;
  /** How we introduce ourselves to the server: name and version. */
  readonly clientInfo: Message;
  readonly limits?: Partial<BridgeLimits>;
}

/** How often a request whose session the server has forgotten is sent in a new one. */
const RETRIES = 1;

/**
 * Serves clients of 2026-07-28 in front of a server that only knows sessions: one session of our own, opened when first
 * needed and kept warm, carries everyone's requests under ids of our own.
 */
export function createBridge(transport: SessionTransport, options: BridgeOptions): StatelessFace {
  const { log } = options;
  const limits = { ...bridgeLimits, ...options.limits };
  const toolsChanged = new Set<() => void>();
  let lastId = 0;
  let underWay = 0;
  let idle: NodeJS.Timeout | null = null;

  const sayToolsChanged = () => {
    for (const listener of toolsChanged) listener();
  };
  const onNotification = (message: Message) => {
    if (message.method === "notifications/tools/list_changed") sayToolsChanged();
    subscriptions.publish(message);
  };
  const sessions = createSharedSessions({
    transport,
    clientInfo: options.clientInfo,
    limits,
    log,
    onNotification,
    // Another start of the server may bring other tools.
    onRenewed: sayToolsChanged,
    onLost: () => subscriptions.endAll(),
  });
  const rest = () => {
    if (underWay > 0 || subscriptions.size > 0) return;
    if (idle !== null) clearTimeout(idle);
    idle = setTimeout(() => void sessions.close(), limits.idleMs).unref();
  };
  const subscriptions = createSubscriptions(limits.maxSubscriptions, rest);
  const begin = () => {
    underWay += 1;
    if (idle !== null) clearTimeout(idle);
    idle = null;
  };
  /** Counts an exchange until its end. */
  const counted = (listener: UpstreamListener): UpstreamListener => {
    begin();
    return untilOver(listener, () => {
      underWay -= 1;
      rest();
    });
  };

  const pass = (
    session: SharedSession,
    request: UpstreamRequest,
    listener: UpstreamListener,
    tries: number,
  ) => {
    lastId += 1;
    const onSessionLost = () => {
      sessions.lost(session);
      if (tries >= RETRIES) return false;
      serve(request, listener, tries + 1);
      return true;
    };
    const onRequest = (asked: Message) => sessions.decline(session, asked);
    forward(
      { transport, session, request, wireId: lastId, onSessionLost, onNotification, onRequest },
      listener,
    );
  };
  const subscribe = (session: SharedSession, request: UpstreamRequest, listener: UpstreamListener) => {
    const { message, signal } = request;
    if (subscriptions.open(message, session.introduction.capabilities, listener, signal)) return;
    answerAtOnce(listener, 200, errorText(message.id, RPC.internalError, "Too many subscriptions."));
  };
  const serve = (request: UpstreamRequest, listener: UpstreamListener, tries: number) => {
    const { message, signal } = request;
    sessions.get().then(
      (session) => {
        if (signal.aborted) listener.onFailure(cancelled);
        else if (message.method === "server/discover")
          answerAtOnce(
            listener,
            200,
            JSON.stringify({ jsonrpc: "2.0", id: message.id, result: discovered(session.introduction) }),
          );
        else pass(session, request, listener, tries);
      },
      (error) => listener.onFailure(failureBefore(error)),
    );
  };

  return {
    send(request, listener) {
      const { message } = request;
      const kind = kindOf(message);
      // Who shares a session has nothing to say to all of it.
      if (kind === "notification") return answerAtOnce(listener, 202, null);
      const problem = kind === "request" ? problemOf(message) : notARequest;
      if (problem !== null) {
        const { code, text, status, data } = problem;
        const error = { code, message: text, ...(data === undefined ? {} : { data }) };
        return answerAtOnce(
          listener,
          status,
          JSON.stringify({ jsonrpc: "2.0", id: message.id ?? null, error }),
        );
      }
      if (message.method !== "subscriptions/listen") return serve(request, counted(listener), 0);
      sessions.get().then(
        (session) => subscribe(session, request, listener),
        (error) => listener.onFailure(failureBefore(error)),
      );
    },
    onToolsChanged: (listener) => void toolsChanged.add(listener),
    underWay: () => underWay + subscriptions.size,
    async close() {
      if (idle !== null) clearTimeout(idle);
      subscriptions.endAll();
      await sessions.close();
    },
  };
}

interface Problem {
  readonly status: number;
  readonly code: number;
  readonly text: string;
  readonly data?: unknown;
}

const notARequest: Problem = { status: 400, code: RPC.invalidRequest, text: "Only requests are taken here." };

function problemOf(message: Message): Problem | null {
  const requested = foreignVersion(message);
  if (requested !== null)
    return {
      status: 400,
      code: RPC.unsupportedVersion,
      text: "Unsupported protocol version",
      data: { supported: [STATELESS_VERSION], requested },
    };
  if (isAvailable(message.method as string)) return null;
  return { status: 404, code: RPC.methodNotFound, text: "Method not found" };
}

const cancelled = { kind: "broken", status: null, ran: "no", message: "The call was cancelled." } as const;

/** Why no session could be opened; whatever it was, the request was never sent. */
function failureBefore(error: unknown) {
  const failure = error instanceof UpstreamError ? error.failure : { kind: "connect" as const, status: null };
  const message = error instanceof Error ? error.message : String(error);
  return { kind: failure.kind, status: failure.status, ran: "no" as const, message };
}
