import {
  type JSONRPCMessage,
  type JSONRPCRequest,
  SdkHttpError,
  StreamableHTTPClientTransport,
} from "@modelcontextprotocol/client";
import type { RequestId } from "./bridge-messages.ts";
import type { Connection } from "./connection.ts";
import { limits } from "./limits.ts";
import { Problem } from "./problem.ts";

/** One connection to the endpoint, with at most one session of the server's. */
export class BridgeSession {
  readonly http: StreamableHTTPClientTransport;
  /** Requests that were sent in it and have no answer. */
  readonly pending = new Set<RequestId>();
  readonly #own = new Map<RequestId, (message: JSONRPCMessage) => void>();
  /** The version that was agreed on; null before `initialize` was answered. */
  #version: string | null = null;
  #lost = false;

  /** `received` is told every message of the server, `refused` that it does not take the key any more. */
  constructor({ url, key }: Connection, received: (message: JSONRPCMessage) => void, refused: () => void) {
    this.http = new StreamableHTTPClientTransport(new URL(url), {
      requestInit: { headers: { Authorization: `Bearer ${key}` } },
      reconnectionOptions: {
        initialReconnectionDelay: 1_000,
        reconnectionDelayGrowFactor: 1.5,
        maxReconnectionDelay: limits.reconnectMs,
        maxRetries: limits.reconnects,
      },
    });
    this.http.onmessage = (message) => {
      const own = "id" in message && !("method" in message) ? this.#own.get(message.id!) : undefined;
      if (own === undefined) received(message);
      else own(message);
    };
    this.http.onerror = (error) => {
      if (error instanceof SdkHttpError && error.status === 401) refused();
    };
  }

  get hasSession(): boolean {
    return this.http.sessionId !== undefined;
  }

  get version(): string | null {
    return this.#version;
  }

  /** What `initialize` was answered with: later requests name the version. */
  agree(message: JSONRPCMessage): void {
    const { result } = message as { result?: { protocolVersion?: unknown } };
    if (typeof result?.protocolVersion !== "string") return;
    this.#version = result.protocolVersion;
    this.http.setProtocolVersion(result.protocolVersion);
  }

  /** Asks something the client did not ask for. Throws Problem when there is no answer, or an error. */
  async ask(message: JSONRPCRequest): Promise<JSONRPCMessage> {
    const signal = AbortSignal.timeout(limits.probeMs);
    try {
      return await new Promise<JSONRPCMessage>((resolve, reject) => {
        const none = () => reject(new Problem(`The server did not answer ${message.method}.`));
        signal.addEventListener("abort", none, { once: true });
        this.#own.set(message.id, (answer) => ("result" in answer ? resolve(answer) : none()));
        this.http.send(message, { requestSignal: signal, onRequestStreamEnd: none }).catch(reject);
      });
    } finally {
      this.#own.delete(message.id);
    }
  }

  /** A request was answered, or is not waited for any more. */
  settle(id: RequestId): void {
    this.pending.delete(id);
    this.#closeWhenDone();
  }

  /** The server does not know the session any more; it is closed when what is under way in it is over. */
  lose(): void {
    this.#lost = true;
    this.#closeWhenDone();
  }

  /** Ends the session on the server, then everything that is open. Takes no longer than `limits.endSessionMs`. */
  async end(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const enough = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, limits.endSessionMs);
    });
    await Promise.race([this.http.terminateSession().catch(() => {}), enough]);
    clearTimeout(timer);
    await this.http.close();
  }

  #closeWhenDone(): void {
    if (this.#lost && this.pending.size === 0) void this.http.close();
  }
}
