import type {
  Message,
  Upstream,
  UpstreamListener,
  UpstreamRequest,
} from "../../../engines/upstream/types.ts";

type Listen = Parameters<Upstream["listen"]>[0];

/** An upstream that does what a test says, and keeps what it got. */
export class TestUpstream implements Upstream {
  readonly requests: UpstreamRequest[] = [];
  readonly listens: Listen[] = [];
  readonly ended: string[] = [];
  onSend: (request: UpstreamRequest, listener: UpstreamListener) => void = answersWith({ content: [] });
  onListen: (session: Listen, listener: UpstreamListener) => void = (_session, listener) =>
    listener.onFailure({ kind: "refused", status: 405, ran: "no", message: "no stream" });

  send(request: UpstreamRequest, listener: UpstreamListener): void {
    this.requests.push(request);
    this.onSend(request, listener);
  }

  listen(session: Listen, listener: UpstreamListener): void {
    this.listens.push(session);
    this.onListen(session, listener);
  }

  async endSession(sessionId: string): Promise<void> {
    this.ended.push(sessionId);
  }

  async ask(): Promise<unknown> {
    throw new Error("nobody asks in these tests");
  }

  onToolsChanged(): void {}

  state() {
    return { reachable: true, problem: null, processes: 0 };
  }

  async close(): Promise<void> {}
}

/** One JSON message as the whole answer. */
export function answersText(text: string, status = 200, sessionId: string | null = null) {
  return ({ message }: UpstreamRequest, listener: UpstreamListener): void => {
    setImmediate(async () => {
      listener.onHead({ status, sessionId, streaming: false });
      if (message.id !== undefined && message.method !== undefined) {
        await listener.onMessage({ text: text.replace("$id", JSON.stringify(message.id)), eventId: null });
      }
      listener.onEnd();
    });
  };
}

/** The same with a result. */
export const answersWith = (result: Message, status = 200, sessionId: string | null = null) =>
  answersText(`{"jsonrpc":"2.0","id":$id,"result":${JSON.stringify(result)}}`, status, sessionId);

/** A stream: texts, then its end. `$id` stands for the request's id; a pair has an event id first. */
export function streams(...messages: readonly (string | readonly [string, string])[]) {
  return ({ message }: UpstreamRequest, listener: UpstreamListener): void => {
    setImmediate(async () => {
      listener.onHead({ status: 200, sessionId: null, streaming: true });
      for (const one of messages) {
        const [eventId, text] = typeof one === "string" ? [null, one] : one;
        await listener.onMessage({ text: text.replace("$id", JSON.stringify(message.id)), eventId });
      }
      listener.onEnd();
    });
  };
}
