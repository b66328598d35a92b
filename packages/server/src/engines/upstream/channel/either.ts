import type { Elder, SessionTransport } from "../bridge/index.ts";
import type { UpstreamHead, UpstreamListener, UpstreamMessage, UpstreamRequest } from "../types.ts";
import { errorCodeOf, kindOf, parseMessage, RPC } from "./messages.ts";

export interface EitherOptions {
  /** For servers that know sessions. */
  readonly sessions: SessionTransport;
  /** For servers that don't. */
  readonly elder: Elder;
  /** Whether the server speaks the stateless era; asked only when it has refused a session. */
  speaksStateless(): Promise<boolean>;
}

/** Sessions for older clients, wherever they can be had: with the server, or in front of it. */
export function createEither({ sessions, elder, speaksStateless }: EitherOptions): SessionTransport {
  /** The server has refused a session, and speaks the stateless era. */
  let onlyStateless = false;

  const openHere = (request: UpstreamRequest, listener: UpstreamListener) => {
    elder.send(request, {
      onHead: (head) => listener.onHead(head),
      onMessage: (message) => listener.onMessage(message),
      onEnd: () => listener.onEnd(),
      onFailure(failure) {
        // Another server may answer there by now: the next one finds out anew.
        onlyStateless = false;
        listener.onFailure(failure);
      },
    });
  };
  const initialize = (request: UpstreamRequest, listener: UpstreamListener) => {
    let head: UpstreamHead | null = null;
    let refusal: UpstreamMessage | null = null;
    const pass = (message: UpstreamMessage) => {
      if (head !== null) listener.onHead(head);
      head = null;
      return listener.onMessage(message);
    };
    sessions.send(request, {
      onHead(came) {
        head = came;
      },
      onMessage(message) {
        if (head === null || !isRefusal(message)) return pass(message);
        refusal = message;
      },
      onEnd() {
        const refused = refusal;
        if (refused === null) return listener.onEnd();
        const giveUp = async () => {
          await pass(refused);
          listener.onEnd();
        };
        speaksStateless().then((speaks) => {
          if (!speaks) return giveUp();
          onlyStateless = true;
          openHere(request, listener);
        }, giveUp);
      },
      onFailure: (failure) => listener.onFailure(failure),
    });
  };

  return {
    send(request, listener) {
      const { message, sessionId } = request;
      const opens = sessionId === null && message.method === "initialize";
      if (elder.knows(sessionId)) elder.send(request, listener);
      else if (opens && onlyStateless) openHere(request, listener);
      else if (opens) initialize(request, listener);
      else sessions.send(request, listener);
    },
    listen: (session, listener) =>
      (elder.knows(session.sessionId) ? elder : sessions).listen(session, listener),
    endSession: (sessionId) => (elder.knows(sessionId) ? elder : sessions).endSession(sessionId),
  };
}

/** Whether this answer to `initialize` may mean that the server knows no sessions. */
function isRefusal({ text, parsed }: UpstreamMessage): boolean {
  const message = parsed ?? parseMessage(text);
  if (message === null || kindOf(message) !== "answer") return false;
  const code = errorCodeOf(message);
  // The last: no request of an older client has the headers that the newer era asks for.
  return code === RPC.unsupportedVersion || code === RPC.methodNotFound || code === RPC.headerMismatch;
}
