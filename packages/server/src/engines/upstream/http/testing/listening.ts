import type {
  Message,
  Upstream,
  UpstreamFailure,
  UpstreamHead,
  UpstreamListener,
  UpstreamMessage,
  UpstreamRequest,
} from "../../types.ts";

/** Everything a listener heard, in order; `done` resolves with its end. */
export interface Heard extends UpstreamListener {
  readonly heads: UpstreamHead[];
  readonly messages: UpstreamMessage[];
  readonly failures: UpstreamFailure[];
  ends: number;
  readonly done: Promise<void>;
}

export function hears(onMessage?: (message: UpstreamMessage) => void | Promise<void>): Heard {
  const { promise, resolve } = Promise.withResolvers<void>();
  const heard: Heard = {
    heads: [],
    messages: [],
    failures: [],
    ends: 0,
    done: promise,
    onHead: (head) => void heard.heads.push(head),
    onMessage(message) {
      heard.messages.push(message);
      return onMessage?.(message);
    },
    onEnd() {
      heard.ends += 1;
      resolve();
    },
    onFailure(failure) {
      heard.failures.push(failure);
      resolve();
    },
  };
  return heard;
}

export const NEVER = new AbortController().signal;

/** A request of the era with sessions; parts can be given. */
export function inSession(message: Message, parts: Partial<UpstreamRequest> = {}): UpstreamRequest {
  return { message, era: "session", sessionId: null, headers: {}, signal: NEVER, ...parts };
}

export const VERSION = "2026-07-28";

/** A request of the stateless era, with the `_meta` it must have. */
export function stateless(id: number, method: string, params: Message = {}): UpstreamRequest {
  const meta = {
    "io.modelcontextprotocol/protocolVersion": VERSION,
    "io.modelcontextprotocol/clientCapabilities": {},
  };
  return {
    message: { jsonrpc: "2.0", id, method, params: { ...params, _meta: meta } },
    era: "stateless",
    sessionId: null,
    headers: { "mcp-protocol-version": VERSION },
    signal: NEVER,
  };
}

/** Sends and waits for the end. */
export async function sent(
  upstream: Pick<Upstream, "send">,
  request: UpstreamRequest,
  listener: Heard = hears(),
): Promise<Heard> {
  upstream.send(request, listener);
  await listener.done;
  return listener;
}

export const call = (id: number, name: string, args: Message = {}): Message => ({
  jsonrpc: "2.0",
  id,
  method: "tools/call",
  params: { name, arguments: args },
});

/** Opens a session as a client would; answers its id. */
export async function initialized(upstream: Upstream): Promise<string> {
  const params = {
    protocolVersion: "2025-11-25",
    capabilities: {},
    clientInfo: { name: "test", version: "1" },
  };
  const heard = await sent(upstream, inSession({ jsonrpc: "2.0", id: 0, method: "initialize", params }));
  const sessionId = heard.heads[0]?.sessionId;
  if (sessionId === undefined || sessionId === null) {
    throw new Error(`no session: ${JSON.stringify([heard.heads, heard.messages, heard.failures])}`);
  }
  await sent(upstream, inSession({ jsonrpc: "2.0", method: "notifications/initialized" }, { sessionId }));
  return sessionId;
}
