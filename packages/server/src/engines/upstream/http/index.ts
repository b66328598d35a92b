import { askThrough } from "../bridge/collect.ts";
import { createBridge, type Elder, type SessionTransport, type StatelessFace } from "../bridge/index.ts";
import { createEither } from "../channel/either.ts";
import { failureOf } from "../channel/session-table.ts";
import { ownClientInfo } from "../channel/sessions.ts";
import type { Message, Upstream, UpstreamListener, UpstreamRequest } from "../types.ts";
import { createElderSessions } from "./elder.ts";
import { createEraFinder, type EraFinder } from "./era.ts";
import { Lane } from "./lane.ts";
import { createOlder, isOlderSession, mayBeOlder, passing } from "./older.ts";
import { type HttpTarget, type HttpUpstreamOptions, viaOf } from "./target.ts";
import { createToolWatch, type ToolWatch } from "./tool-watch.ts";
import { HttpTransport } from "./transport.ts";

export type { HttpLimits } from "./limits.ts";
export type { HttpTarget, HttpUpstreamOptions } from "./target.ts";

const NEVER = new AbortController().signal;

/**
 * A server behind a URL, whichever transport and era it speaks: Streamable HTTP in both eras, and the older HTTP+SSE,
 * which is tried when `initialize` is refused the way its servers do. Messages of the era the server speaks are sent as
 * they are; stateless ones for a server with sessions go over a bridge, and sessions in front of a server without them live
 * here. Nothing is connected before the first message.
 */
export function createHttpUpstream(target: HttpTarget, options: HttpUpstreamOptions): Upstream {
  return new HttpUpstream(target, options);
}

class HttpUpstream implements Upstream {
  readonly #lane: Lane;
  readonly #transport: HttpTransport;
  readonly #older: Upstream;
  /** The server only knows the older transport. */
  #isOlder = false;
  /** Sessions of older clients with a server that knows none. */
  readonly #elder: Elder;
  /** Sessions wherever they can be had. */
  readonly #sessions: SessionTransport;
  readonly #bridge: StatelessFace;
  readonly #era: EraFinder;
  readonly #watch: ToolWatch;
  readonly #toolsListeners = new Set<() => void>();
  #toolsToldSoon = false;

  constructor(target: HttpTarget, options: HttpUpstreamOptions) {
    const via = viaOf(options, {
      onToolsChanged: () => this.#tellToolsChanged(),
      onVersionRefused: () => this.#era.forget(),
    });
    const { limits, log } = via;
    const clientInfo: Message = ownClientInfo;
    this.#lane = new Lane(target, via);
    this.#transport = new HttpTransport(this.#lane);
    this.#older = createOlder(this.#lane, (limit) => options.metrics?.limitsHit.inc({ limit }));
    this.#older.onToolsChanged(() => this.#tellToolsChanged());
    const send = this.#transport.send.bind(this.#transport);
    this.#elder = createElderSessions({ send }, limits);
    const sessions: SessionTransport = {
      send: (request, listener) => this.#sendInSession(request, listener),
      listen: (session, listener) => this.#over(session.sessionId).listen(session, listener),
      endSession: (sessionId) => this.#over(sessionId).endSession(sessionId),
    };
    this.#sessions = createEither({
      ...{ sessions, elder: this.#elder },
      speaksStateless: async () => (await this.#era.find(NEVER)) === "stateless",
    });
    this.#bridge = createBridge(sessions, { log, clientInfo });
    this.#bridge.onToolsChanged(() => this.#tellToolsChanged());
    this.#era = createEraFinder({
      send,
      clientInfo,
      believeMs: limits.eraMs,
      askMs: limits.discoverMs,
      nowMs: () => performance.now(),
    });
    this.#watch = createToolWatch({ send, clientInfo, limits, onMissed: () => this.#tellToolsChanged() });
  }

  send(request: UpstreamRequest, listener: UpstreamListener): void {
    if (request.era === "session") {
      this.#sessions.send(request, listener);
      return;
    }
    const era = this.#era.peek();
    if (era === "stateless") this.#transport.send(request, listener);
    else if (era === "session") this.#bridge.send(request, listener);
    else {
      this.#era.find(request.signal).then(
        (found) => (found === "stateless" ? this.#transport : this.#bridge).send(request, listener),
        // Only the question was asked; the message itself has not been sent.
        (error) => listener.onFailure({ ...failureOf(error), ran: "no" }),
      );
    }
  }

  listen(session: Parameters<Upstream["listen"]>[0], listener: UpstreamListener): void {
    this.#sessions.listen(session, listener);
  }

  endSession(sessionId: string): Promise<void> {
    return this.#sessions.endSession(sessionId);
  }

  async ask(method: string, params: Message, signal: AbortSignal): Promise<unknown> {
    const bounded = AbortSignal.any([signal, AbortSignal.timeout(this.#lane.limits.askMs)]);
    const question = { method, params, signal: bounded };
    const answer = await askThrough((...sent) => this.send(...sent), ownClientInfo, question);
    this.#watchTools();
    return answer;
  }

  onToolsChanged(listener: () => void): void {
    this.#toolsListeners.add(listener);
  }

  state(): ReturnType<Upstream["state"]> {
    return { ...(this.#isOlder ? this.#older.state() : this.#lane.state()), processes: 0 };
  }

  async close(): Promise<void> {
    this.#watch.stop();
    this.#elder.close();
    // Ending sessions is courtesy: a server that doesn't answer keeps nobody waiting.
    const late = new Promise<void>((resolve) => setTimeout(resolve, this.#lane.limits.closeMs).unref());
    await Promise.race([Promise.all([this.#bridge.close(), this.#older.close()]), late]);
    await this.#lane.close();
  }

  #over(sessionId: string): SessionTransport {
    return isOlderSession(sessionId) ? this.#older : this.#transport;
  }

  #sendInSession(request: UpstreamRequest, listener: UpstreamListener): void {
    const { message, sessionId } = request;
    if (isOlderSession(sessionId)) this.#older.send(request, listener);
    else if (message.method !== "initialize" || sessionId !== null) this.#transport.send(request, listener);
    else if (this.#isOlder) this.#initializeOlder(request, listener);
    else this.#initialize(request, listener);
  }

  #initialize(request: UpstreamRequest, listener: UpstreamListener): void {
    this.#transport.send(request, {
      ...passing(listener),
      onMessage: (message) => {
        if (message.parsed?.error !== undefined) this.#doubtSessions();
        return listener.onMessage(message);
      },
      onFailure: (failure) => {
        if (!mayBeOlder(failure) || request.signal.aborted) {
          this.#doubtSessions();
          listener.onFailure(failure);
          return;
        }
        // If it is not that either, the first refusal says more.
        this.#older.send(request, {
          ...passing(listener),
          onHead: (head) => {
            this.#isOlder = true;
            listener.onHead(head);
          },
          onFailure: (later) => listener.onFailure(this.#isOlder ? later : failure),
        });
      },
    });
  }

  /** It lets nobody in: what is believed of its era may be wrong by now. */
  #doubtSessions(): void {
    if (this.#era.peek() === "session") this.#era.forget();
  }

  #initializeOlder(request: UpstreamRequest, listener: UpstreamListener): void {
    this.#older.send(request, {
      ...passing(listener),
      onFailure: (failure) => {
        // The next one finds out anew what the server knows.
        this.#isOlder = false;
        this.#doubtSessions();
        listener.onFailure(failure);
      },
    });
  }

  /** A stateless server tells of changes only who has asked for that; in sessions the bridge hears of them. */
  #watchTools(): void {
    if (this.#toolsListeners.size > 0 && this.#era.peek() === "stateless") this.#watch.start();
  }

  /** A change may be heard of on several streams at once. */
  #tellToolsChanged(): void {
    if (this.#toolsToldSoon) return;
    this.#toolsToldSoon = true;
    queueMicrotask(() => {
      this.#toolsToldSoon = false;
      for (const listener of this.#toolsListeners) listener();
    });
  }
}
