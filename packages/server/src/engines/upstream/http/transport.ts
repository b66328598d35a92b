import { kindOf } from "../channel/messages.ts";
import type { Message, Upstream, UpstreamListener, UpstreamRequest } from "../types.ts";
import { type Asked, withoutMessage } from "./asked.ts";
import { Exchange } from "./exchange.ts";
import { postHeaders, sessionHeaders } from "./headers.ts";
import type { Lane } from "./lane.ts";

const NEVER = new AbortController().signal;
const nothing = () => {};
const SILENT: UpstreamListener = { onHead: nothing, onMessage: nothing, onEnd: nothing, onFailure: nothing };

/**
 * Streamable HTTP as it goes over the wire, in both eras: what is sent is sent as it is, in the era it is in, whatever the
 * server speaks. Connections are kept warm and shared by all exchanges.
 */
export class HttpTransport implements Pick<Upstream, "send" | "listen" | "endSession"> {
  readonly #lane: Lane;

  constructor(lane: Lane) {
    this.#lane = lane;
  }

  send(request: UpstreamRequest, listener: UpstreamListener): void {
    const { message, era, sessionId, headers, signal } = request;
    const kind = kindOf(message);
    const awaits = kind === "request" ? message.id : undefined;
    const session = era === "session";
    this.#start(
      {
        method: "POST",
        path: null,
        onOtherEvent: nothing,
        body: JSON.stringify(message),
        headers: postHeaders(request),
        awaits,
        endless: message.method === "subscriptions/listen",
        resumeHeaders: session ? (lastId) => sessionHeaders(sessionId, headers, lastId) : () => null,
        onCancelled:
          session && awaits !== undefined && message.method !== "initialize"
            ? () => this.#tellCancelled(request, awaits)
            : nothing,
        signal,
      },
      listener,
    );
  }

  listen(session: Parameters<Upstream["listen"]>[0], listener: UpstreamListener): void {
    const headers = sessionHeaders(session.sessionId, session.headers, session.lastEventId);
    this.#start({ ...withoutMessage("GET", headers, session.signal), endless: true }, listener);
  }

  endSession(sessionId: string, headers: Readonly<Record<string, string>> = {}): Promise<void> {
    return new Promise((resolve) => {
      const done = () => resolve();
      const signal = AbortSignal.timeout(this.#lane.limits.endSessionMs);
      const asked = withoutMessage("DELETE", sessionHeaders(sessionId, headers, null), signal);
      this.#start(asked, { ...SILENT, onEnd: done, onFailure: done });
    });
  }

  #start(asked: Asked, listener: UpstreamListener): void {
    new Exchange(this.#lane, asked, listener, performance.now()).start();
  }

  /** Best effort: servers with sessions go on when a stream is closed. */
  #tellCancelled({ sessionId, headers }: UpstreamRequest, requestId: unknown): void {
    const message: Message = {
      jsonrpc: "2.0",
      method: "notifications/cancelled",
      params: { requestId, reason: "The client is gone." },
    };
    this.send({ message, era: "session", sessionId, headers, signal: NEVER }, SILENT);
  }
}
