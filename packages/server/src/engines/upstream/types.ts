/**
 * Reaching MCP servers that others wrote. Whoever uses this speaks to every server in the same way, as if it were a
 * Streamable HTTP endpoint that serves the era of the message it is sent; how it really is reached (HTTP, the older
 * HTTP+SSE, a program on this host, Ambit itself) and which eras it speaks is the engine's business.
 */

/** One JSON-RPC message, as it was parsed and judged. */
export type Message = { readonly [key: string]: unknown };

/** Protocol eras: `stateless` from 2026-07-28 on, `session` before. */
export type Era = "stateless" | "session";

/** Where a server is. */
export type UpstreamTarget =
  | {
      readonly transport: "http";
      readonly url: string;
      /** Sent with every request; credentials are among them. Asked for each request: they may be renewed. */
      headers(): Promise<Readonly<Record<string, string>>>;
      /** The server said 401: renew what can be renewed. True when it is worth trying once more. */
      renew(): Promise<boolean>;
    }
  | {
      readonly transport: "stdio";
      readonly command: string;
      readonly args: readonly string[];
      /** The whole environment of the program, beyond PATH and HOME. */
      readonly env: Readonly<Record<string, string>>;
    };

/** What a client sends, on its way up. */
export interface UpstreamRequest {
  /** A request, a notification, or an answer to a request of the server's. It is serialised here. */
  readonly message: Message;
  readonly era: Era;
  /** The upstream's own session id; null before there is one, and in the stateless era. */
  readonly sessionId: string | null;
  /** `mcp-protocol-version` and unknown `mcp-param-*`, in lower case. `Mcp-Method` and `Mcp-Name` are made from the message. */
  readonly headers: Readonly<Record<string, string>>;
  /**
   * Aborting it cancels the request there (by closing the stream, or with notifications/cancelled); with `StreamLost` as the
   * reason only the stream is closed, so that it can be taken up again.
   */
  readonly signal: AbortSignal;
}

/** A client lost a stream that it may take up again: in a session that cancels nothing. */
export class StreamLost extends Error {}

/** What the server answered, before any message. */
export interface UpstreamHead {
  /** HTTP status; 202 for a notification that was taken. */
  readonly status: number;
  /** Set on the answer to `initialize`. */
  readonly sessionId: string | null;
  /** More than one message may come: the client's answer is to be an event stream. */
  readonly streaming: boolean;
}

/** One message of the server's. */
export interface UpstreamMessage {
  /** Exactly as it came: what no rule touches is passed on in these bytes. */
  readonly text: string;
  /** The id of its event in the upstream's own stream, for resuming; null without. */
  readonly eventId: string | null;
  /** What `text` says, when it had to be parsed anyway; then it needn't be parsed again. */
  readonly parsed?: Message;
}

/** Why there is no answer. */
export interface UpstreamFailure {
  /** `connect`: nothing was sent; `timeout` and `broken`: it may have run; `body`: an answer that is no MCP. */
  readonly kind: "connect" | "refused" | "timeout" | "broken" | "body" | "too_large";
  /** HTTP status, where there was one. */
  readonly status: number | null;
  /** Whether the call provably never ran: connect and TLS errors, 401, 403, 404, 429. */
  readonly ran: "no" | "maybe";
  /** For people; no credential and no address that was not configured. */
  readonly message: string;
}

/**
 * Who hears of an exchange. `onHead` comes first, `onEnd` or `onFailure` last and once; a failure may come without a head.
 * A refusal that is a JSON-RPC error (but for 401) comes as head and message: `ranByAnswer` (ran.ts) reads both. After
 * `onEnd` the answer to a request has been handed over. Aborting the signal is heard of as a failure too.
 */
export interface UpstreamListener {
  onHead(head: UpstreamHead): void;
  /** Returns a promise when it can't take more just now; the next message waits for it. */
  onMessage(message: UpstreamMessage): void | Promise<void>;
  onEnd(): void;
  onFailure(failure: UpstreamFailure): void;
}

/** A server, connected or not; made once per registered server and node, kept warm. */
export interface Upstream {
  send(request: UpstreamRequest, listener: UpstreamListener): void;
  /** What the server sends by itself in a session (GET); `lastEventId` resumes. */
  listen(
    session: {
      readonly sessionId: string;
      readonly headers: Readonly<Record<string, string>>;
      readonly lastEventId: string | null;
      readonly signal: AbortSignal;
    },
    listener: UpstreamListener,
  ): void;
  /** Ends a session (DELETE); resolves also when there was none. */
  endSession(sessionId: string): Promise<void>;
  /** Asks for itself, e.g. for a scan: no client's session is used. Rejects with an UpstreamError. */
  ask(method: string, params: Message, signal: AbortSignal): Promise<unknown>;
  /** Called when the server says that its list of tools has changed. */
  onToolsChanged(listener: () => void): void;
  /** How it is: for people. */
  state(): {
    readonly reachable: boolean | null;
    readonly problem: string | null;
    readonly processes: number;
  };
  /** Ends connections and processes. */
  close(): Promise<void>;
}

/** Thrown by `ask`. */
export class UpstreamError extends Error {
  readonly failure: UpstreamFailure;

  constructor(failure: UpstreamFailure) {
    super(failure.message);
    this.name = "UpstreamError";
    this.failure = failure;
  }
}
