import {
  asObject,
  errorCodeOf,
  kindOf,
  parseMessage,
  STATELESS_VERSION,
  statelessMeta,
} from "../channel/messages.ts";
import {
  type Message,
  UpstreamError,
  type UpstreamHead,
  type UpstreamListener,
  type UpstreamRequest,
} from "../types.ts";

/** The whole of an exchange with one answer. */
export interface Collected {
  readonly head: UpstreamHead;
  readonly answer: Message;
}

/**
 * Waits for the answer to a request of our own; what comes before it goes to `onInterim`. Rejects with an UpstreamError.
 */
export function collect(
  id: string | number,
  send: (listener: UpstreamListener) => void,
  onInterim: (message: Message) => void = () => {},
): Promise<Collected> {
  return new Promise((resolve, reject) => {
    let head: UpstreamHead = { status: 0, sessionId: null, streaming: false };
    let answer: Message | null = null;
    send({
      onHead(came) {
        head = came;
      },
      onMessage({ text, parsed }) {
        const message = parsed ?? parseMessage(text);
        if (message === null) return;
        // An error about the request as a whole may come without an id.
        const isAnswer = kindOf(message) === "answer" && (message.id === id || message.id === null);
        if (isAnswer) answer = message;
        else onInterim(message);
      },
      onEnd() {
        if (answer !== null) return resolve({ head, answer });
        const message = "The server ended the exchange without an answer.";
        reject(new UpstreamError({ kind: "body", status: head.status || null, ran: "maybe", message }));
      },
      onFailure: (failure) => reject(new UpstreamError(failure)),
    });
  });
}

/** The longest text of a server's error that is handed on. */
const MAX_ERROR_TEXT = 500;

/** The result of an answer; throws an UpstreamError for a JSON-RPC error. */
export function resultOf({ head, answer }: Collected): unknown {
  const code = errorCodeOf(answer);
  if (code === null) return answer.result;
  const said = asObject(answer.error)?.message;
  const text = typeof said === "string" ? said.slice(0, MAX_ERROR_TEXT) : "";
  throw new UpstreamError({
    kind: "refused",
    status: head.status,
    ran: code === -32601 || code === -32602 ? "no" : "maybe",
    message: `The server answered with the error ${code}: ${text}`,
  });
}

/** `Upstream.ask` over whatever takes messages of the stateless era. */
export async function askThrough(
  send: (request: UpstreamRequest, listener: UpstreamListener) => void,
  clientInfo: Message,
  question: { readonly method: string; readonly params: Message; readonly signal: AbortSignal },
): Promise<unknown> {
  const { method, params, signal } = question;
  const message = {
    jsonrpc: "2.0",
    id: 1,
    method,
    params: { ...params, _meta: { ...asObject(params._meta), ...statelessMeta(clientInfo) } },
  };
  const request: UpstreamRequest = {
    message,
    era: "stateless",
    sessionId: null,
    headers: { "mcp-protocol-version": STATELESS_VERSION },
    signal,
  };
  return resultOf(await collect(1, (listener) => send(request, listener)));
}
