import {
  isInitializedNotification,
  isInitializeRequest,
  isJSONRPCRequest,
  type JSONRPCMessage,
  type JSONRPCRequest,
} from "@modelcontextprotocol/client";
import {
  cancelledRequest,
  failed,
  isHeaderMismatch,
  isStateless,
  type RequestId,
  refusalIn,
} from "./bridge-messages.ts";
import { ParamHeaders } from "./bridge-params.ts";
import type { BridgeSession } from "./bridge-session.ts";
import { BridgeSessions, isSessionLost } from "./bridge-sessions.ts";
import type { Connection } from "./connection.ts";
import { explain } from "./problem.ts";

const NO_ANSWER = "The server ended the stream without an answer.";
const REFUSED = "The server does not take the key any more: it was revoked or rotated, or has expired.";

/** A request of the client that has no answer yet. */
interface Asked {
  readonly message: JSONRPCRequest;
  readonly controller: AbortController;
  session: BridgeSession | null;
  /** Sent a second time, with headers it lacked. */
  isCorrected: boolean;
}

/** The server's side of the bridge: sends what the client says, and tells the client what the server says. */
export class BridgeUpstream {
  readonly #url: string;
  readonly #toClient: (message: JSONRPCMessage) => void;
  readonly #report: (line: string) => void;
  readonly #underWay = new Map<RequestId, Asked>();
  readonly #params = new ParamHeaders();
  readonly #sessions: BridgeSessions;
  /** What comes after the messages that open a session waits until the server has taken them. */
  #opened: Promise<void> = Promise.resolve();

  constructor(
    connection: Connection,
    toClient: (message: JSONRPCMessage) => void,
    report: (line: string) => void,
  ) {
    this.#url = connection.url;
    this.#toClient = toClient;
    this.#report = report;
    this.#sessions = new BridgeSessions(connection, {
      received: (session, message) => this.#received(session, message),
      refused: (session) => {
        for (const asked of [...this.#underWay.values()])
          if (asked.session === session) this.#fail(asked, REFUSED);
      },
    });
  }

  start(): Promise<void> {
    return this.#sessions.start();
  }

  /** Gives up what is under way and ends the session. */
  async close(): Promise<void> {
    for (const { controller } of this.#underWay.values()) controller.abort();
    await this.#sessions.end();
  }

  /** Takes a message of the client. */
  take(message: JSONRPCMessage): void {
    const cancelled = cancelledRequest(message);
    if (cancelled !== undefined) {
      this.#cancel(cancelled, message);
      return;
    }
    if (isJSONRPCRequest(message)) {
      const controller = new AbortController();
      this.#underWay.set(message.id, { message, controller, session: null, isCorrected: false });
    }
    const carried = this.#opened.then(() => this.#carry(message));
    if (isInitializeRequest(message) || isInitializedNotification(message)) this.#opened = carried;
  }

  /** Sends a message on. Never rejects: what fails is answered, or reported where nobody waits for an answer. */
  async #carry(message: JSONRPCMessage): Promise<void> {
    const asked = isJSONRPCRequest(message) ? this.#underWay.get(message.id) : undefined;
    try {
      if (!isJSONRPCRequest(message)) await (await this.#sessions.ready()).http.send(message);
      else if (asked?.message === message) await this.#ask(asked);
    } catch (error) {
      if (asked?.controller.signal.aborted) return;
      const refusal = asked === undefined ? null : refusalIn(error, asked.message.id);
      if (asked !== undefined && refusal !== null) {
        this.#answer(asked, refusal);
        return;
      }
      const line = explain(error, this.#url);
      this.#report(line);
      if (asked !== undefined) this.#fail(asked, line);
    }
  }

  async #ask(asked: Asked): Promise<void> {
    const { message, controller } = asked;
    if (isInitializeRequest(message)) this.#sessions.opens(message);
    const session = await this.#sessions.ready();
    try {
      await this.#send(asked, session);
    } catch (error) {
      if (controller.signal.aborted || !isSessionLost(error, session, message)) throw error;
      session.settle(message.id);
      // It has not run: the server did not know whose it is.
      await this.#send(asked, await this.#sessions.renew(session));
    }
  }

  async #send(asked: Asked, session: BridgeSession): Promise<void> {
    const { message, controller } = asked;
    if (controller.signal.aborted) return;
    asked.session = session;
    session.pending.add(message.id);
    const repeats = message.method === "tools/call" && isStateless(message);
    await session.http.send(message, {
      requestSignal: controller.signal,
      ...(repeats ? { headers: this.#params.headersFor(message.params) } : {}),
      onRequestStreamEnd: () => this.#fail(asked, NO_ANSWER),
    });
  }

  #received(session: BridgeSession, message: JSONRPCMessage): void {
    if ("method" in message) {
      this.#toClient(message);
      return;
    }
    // Nobody waits for it any more, or it was answered: streams may repeat what they said.
    const asked = message.id === undefined ? undefined : this.#underWay.get(message.id);
    if (asked === undefined) return;
    const { method } = asked.message;
    if (isInitializeRequest(asked.message)) session.agree(message);
    if (method === "tools/list" && "result" in message) this.#params.learn(message.result);
    const lacksHeaders = method === "tools/call" && isStateless(asked.message) && isHeaderMismatch(message);
    if (lacksHeaders && !asked.isCorrected) void this.#correct(asked, message);
    else this.#answer(asked, message);
  }

  /** The call lacks headers: looks up which, and sends it again; it has not run. */
  async #correct(asked: Asked, refusal: JSONRPCMessage): Promise<void> {
    asked.isCorrected = true;
    try {
      const ask = (params: JSONRPCRequest["params"]) => this.#sessions.ask("tools/list", params);
      await this.#params.learnAll(ask, asked.message.params?._meta);
      await this.#send(asked, this.#sessions.current);
    } catch (error) {
      this.#report(explain(error, this.#url));
      this.#answer(asked, refusal);
    }
  }

  #cancel(id: RequestId, notification: JSONRPCMessage): void {
    const asked = this.#underWay.get(id);
    if (asked === undefined) return;
    this.#underWay.delete(id);
    const { session } = asked;
    const end = () => {
      asked.controller.abort();
      session?.settle(id);
    };
    // Without a session a request is cancelled by ending its HTTP exchange; in one, that would say nothing.
    if (session === null || !session.hasSession || isStateless(asked.message)) {
      end();
      return;
    }
    const sent = session.http.send(notification);
    sent.catch((error) => this.#report(explain(error, this.#url))).finally(end);
  }

  #fail(asked: Asked, why: string): void {
    this.#answer(asked, failed(asked.message.id, why));
  }

  #answer(asked: Asked, message: JSONRPCMessage): void {
    const { id } = asked.message;
    if (this.#underWay.get(id) !== asked) return;
    this.#underWay.delete(id);
    asked.session?.settle(id);
    this.#toClient(message);
  }
}
