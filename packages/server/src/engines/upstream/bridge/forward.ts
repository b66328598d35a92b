import {
  asObject,
  kindOf,
  META_PREFIX,
  metaOf,
  parseMessage,
  type Read,
  RPC,
  restored,
} from "../channel/messages.ts";
import { answerEdits, namesOf, outgoing, tokenEdits } from "../channel/rewrite.ts";
import type { Message, UpstreamFailure, UpstreamListener, UpstreamRequest } from "../types.ts";
import type { SharedSession } from "./shared-session.ts";
import { completed, statusOf, withoutProtocol } from "./translate.ts";
import type { SessionTransport } from "./types.ts";

/** One stateless request on its way through the shared session. */
export interface Forwarding {
  readonly transport: SessionTransport;
  readonly session: SharedSession;
  readonly request: UpstreamRequest;
  /** Unique in the session. */
  readonly wireId: number;
  /** The server does not know the session, and so did nothing. False: nothing can be done about it. */
  onSessionLost(): boolean;
  onNotification(message: Message, text: string): void;
  onRequest(message: Message): void;
}

/** What servers answer for a session they don't know: 404 by the specification, 400 with this code by its examples. */
const UNKNOWN_SESSION_STATUS = 404;
const NO_VALID_SESSION = { status: 400, code: -32_000 };

/** Sends it and translates what comes back. Exactly one end comes to the listener, unless `onSessionLost` took over. */
export function forward(how: Forwarding, listener: UpstreamListener): void {
  const { request, session, wireId } = how;
  const original = request.message;
  const names = namesOf(original);
  const wantsLog = metaOf(original)?.[`${META_PREFIX}logLevel`] !== undefined;
  let status = 0;
  let headSent = false;
  let over = false;

  const interim = (message: Read) => {
    if (!headSent) listener.onHead({ status: 200, sessionId: null, streaming: true });
    headSent = true;
    return listener.onMessage({ ...message, eventId: null });
  };
  const onNotification = (message: Message, text: string) => {
    const token = asObject(message.params)?.progressToken;
    if (message.method === "notifications/progress") {
      if (token !== wireId || names.clientToken === null) return;
      return interim(restored(text, message, tokenEdits(names.clientToken)));
    }
    if (message.method === "notifications/message")
      return wantsLog ? interim({ text, parsed: message }) : undefined;
    how.onNotification(message, text);
  };
  const onAnswer = (message: Message, text: string) => {
    if (isSessionLost(status, message) && !headSent && how.onSessionLost()) {
      over = true;
      return;
    }
    // An error about the request as a whole may come without an id.
    if (message.id !== wireId && message.id !== null) return;
    over = true;
    const answered = completed(text, message, original.method as string, answerEdits(message, wireId, names));
    if (!headSent) listener.onHead({ status: statusOf(message), sessionId: null, streaming: false });
    headSent = true;
    const taken = listener.onMessage({ ...answered, eventId: null });
    if (taken === undefined) listener.onEnd();
    else
      taken.then(
        () => listener.onEnd(),
        () => listener.onEnd(),
      );
    return taken;
  };
  const fail = (failure: UpstreamFailure) => {
    if (over) return;
    over = true;
    if (failure.status === UNKNOWN_SESSION_STATUS && !headSent && how.onSessionLost()) return;
    listener.onFailure(failure);
  };

  how.transport.send(
    {
      message: outgoing(withoutProtocol(original), names, wireId),
      era: "session",
      sessionId: session.id,
      headers: session.headers,
      signal: request.signal,
    },
    {
      onHead(head) {
        status = head.status;
      },
      onMessage({ text, parsed }) {
        const message = over ? null : (parsed ?? parseMessage(text));
        const kind = message === null ? "nonsense" : kindOf(message);
        if (message === null || kind === "nonsense") return;
        if (kind === "answer") return onAnswer(message, text);
        if (kind === "notification") return onNotification(message, text);
        how.onRequest(message);
      },
      onEnd: () =>
        fail({
          kind: "body",
          status,
          ran: "maybe",
          message: "The server ended the exchange without an answer.",
        }),
      onFailure: fail,
    },
  );
}

function isSessionLost(status: number, answer: Message): boolean {
  const code = asObject(answer.error)?.code;
  if (status === UNKNOWN_SESSION_STATUS) return code !== RPC.methodNotFound;
  return status === NO_VALID_SESSION.status && code === NO_VALID_SESSION.code;
}
