import {
  isInitializeRequest,
  type JSONRPCMessage,
  type JSONRPCRequest,
  SdkHttpError,
} from "@modelcontextprotocol/client";
import { isStateless } from "./bridge-messages.ts";
import { BridgeSession } from "./bridge-session.ts";
import type { Connection } from "./connection.ts";
import { Problem } from "./problem.ts";

/** What the sessions of a bridge tell. */
export interface SessionEvents {
  received(session: BridgeSession, message: JSONRPCMessage): void;
  /** The server does not take the key any more. */
  refused(session: BridgeSession): void;
}

/** The session of a bridge, and the next one when the server has forgotten it. */
export class BridgeSessions {
  readonly #connection: Connection;
  readonly #events: SessionEvents;
  #current: BridgeSession;
  /** The client's `initialize`, to begin another session with. */
  #opening: JSONRPCRequest | null = null;
  #renewing: Promise<void> | null = null;
  #ownIds = 0;

  constructor(connection: Connection, events: SessionEvents) {
    this.#connection = connection;
    this.#events = events;
    this.#current = this.#make();
  }

  get current(): BridgeSession {
    return this.#current;
  }

  start(): Promise<void> {
    return this.#current.http.start();
  }

  /** Notes how the client begins sessions. */
  opens(message: JSONRPCRequest): void {
    this.#opening = message;
  }

  /** The session to send in, once there is no other about to take its place. Rejects when that can't be begun. */
  async ready(): Promise<BridgeSession> {
    if (this.#renewing !== null) await this.#renewing;
    return this.#current;
  }

  /** Begins another session in place of one that the server does not know any more. Throws Problem when it can't. */
  async renew(lost: BridgeSession): Promise<BridgeSession> {
    if (this.#current === lost) {
      this.#renewing ??= this.#begin(lost).finally(() => {
        this.#renewing = null;
      });
    }
    return this.ready();
  }

  /** Asks the server something the client did not ask for; gives the result. Throws Problem. */
  async ask(method: string, params: JSONRPCRequest["params"]): Promise<unknown> {
    const answer = await this.#current.ask({ jsonrpc: "2.0", id: this.#ownId(), method, params });
    return (answer as { result?: unknown }).result;
  }

  end(): Promise<void> {
    return this.#current.end();
  }

  async #begin(lost: BridgeSession): Promise<void> {
    if (this.#opening === null) throw new Problem("The server does not know the session any more.");
    const session = this.#make();
    try {
      await session.http.start();
      session.agree(await session.ask({ ...this.#opening, id: this.#ownId() }));
      if (session.version !== lost.version) {
        throw new Problem("The server speaks another version of MCP than before; start the client again.");
      }
      await session.http.send({ jsonrpc: "2.0", method: "notifications/initialized" });
    } catch (error) {
      await session.end();
      throw error;
    }
    this.#current = session;
    lost.lose();
  }

  #make(): BridgeSession {
    const session: BridgeSession = new BridgeSession(
      this.#connection,
      (message) => this.#events.received(session, message),
      () => this.#events.refused(session),
    );
    return session;
  }

  #ownId(): string {
    return `ambit-${++this.#ownIds}`;
  }
}

/** Whether an error says that the server does not know the session that the request was sent in. Pure. */
export const isSessionLost = (error: unknown, session: BridgeSession, message: JSONRPCMessage): boolean =>
  error instanceof SdkHttpError &&
  error.status === 404 &&
  session.hasSession &&
  !isStateless(message) &&
  !isInitializeRequest(message);
