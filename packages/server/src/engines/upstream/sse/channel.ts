import { kindOf, parseMessage } from "../channel/messages.ts";
import type { Channel } from "../channel/types.ts";
import { type Asked, withoutMessage } from "../http/asked.ts";
import { Exchange } from "../http/exchange.ts";
import { postHeaders, sessionHeaders } from "../http/headers.ts";
import type { Lane } from "../http/lane.ts";
import { ranByStatus } from "../ran.ts";
import { UpstreamError, type UpstreamFailure } from "../types.ts";

/** How long the first requests wait for a notification that was sent before them. */
const ORDER_MS = 2_000;

/**
 * Opens a channel of the transport of 2024-11-05: a stream on which everything comes, and a path, named by its first
 * event, to which everything is posted. Rejects with an UpstreamError.
 */
export function openSseChannel(lane: Lane, signal: AbortSignal): Promise<Channel> {
  const life = new AbortController();
  return new Promise((resolve, reject) => {
    const give = (failure: UpstreamFailure) => {
      settle();
      life.abort();
      reject(new UpstreamError({ ...failure, ran: "no" }));
    };
    const onAbort = () => give(lane.failures.cancelled(false));
    const timer = setTimeout(() => give(lane.failures.timeout(false, null)), lane.limits.endpointMs);
    const settle = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
    };
    const channel = new SseChannel(lane, life);
    if (signal.aborted) {
      onAbort();
      return;
    }
    signal.addEventListener("abort", onAbort, { once: true });
    channel.onClose(give);
    channel.listen((endpoint) => {
      const path = pathAt(lane.url, endpoint);
      if (path === null) give(lane.failures.body(200, "it names an endpoint of another origin"));
      else {
        settle();
        channel.ready(path);
        resolve(channel);
      }
    });
  });
}

/** The path of an endpoint, where it is of the same origin; null otherwise. Pure. */
export function pathAt(base: URL, endpoint: string): string | null {
  if (!URL.canParse(endpoint, base.href)) return null;
  const url = new URL(endpoint, base);
  return url.origin === base.origin && url.username === "" && url.password === ""
    ? url.pathname + url.search
    : null;
}

class SseChannel implements Channel {
  readonly #lane: Lane;
  readonly #life: AbortController;
  #path: string | null = null;
  #onMessage: ((text: string) => void) | null = null;
  #onClose: (failure: UpstreamFailure) => void = () => {};
  /** What came with the first event, before anybody could listen. */
  #early: string[] = [];
  #closed: UpstreamFailure | null = null;
  /** The last notification that was sent, as long as the server has not taken it. */
  #telling: Promise<unknown> | null = null;

  constructor(lane: Lane, life: AbortController) {
    this.#lane = lane;
    this.#life = life;
  }

  listen(onEndpoint: (endpoint: string) => void): void {
    const asked: Asked = {
      ...withoutMessage("GET", sessionHeaders(null, {}, null), this.#life.signal),
      endless: true,
      onOtherEvent: (type, data) => {
        if (type === "endpoint" && this.#path === null) onEndpoint(data);
      },
    };
    const listener = {
      onHead() {},
      onMessage: ({ text }: { readonly text: string }) => this.#take(text),
      onEnd: () => this.#end(this.#lane.failures.ofError({}, true, 200)),
      onFailure: (failure: UpstreamFailure) => this.#end(failure),
    };
    new Exchange(this.#lane, asked, listener, performance.now()).start();
  }

  ready(path: string): void {
    this.#path = path;
    this.#onClose = () => {};
  }

  send(text: string): Promise<void> {
    if (this.#closed !== null) return Promise.resolve();
    const message = parseMessage(text);
    const sent = this.#telling === null ? this.#post(text) : this.#telling.then(() => this.#post(text));
    if (message !== null && kindOf(message) === "notification") this.#tell(sent);
    return sent;
  }

  onMessage(listener: (text: string) => void): void {
    this.#onMessage = listener;
    const early = this.#early;
    this.#early = [];
    for (const text of early) listener(text);
  }

  onClose(listener: (failure: UpstreamFailure) => void): void {
    this.#onClose = listener;
    if (this.#closed !== null) listener(this.#closed);
  }

  async close(): Promise<void> {
    this.#life.abort();
  }

  /** What is sent after a notification must not overtake it, but a server that is slow to take it must not block all. */
  #tell(sent: Promise<void>): void {
    const late = new Promise<void>((resolve) => setTimeout(resolve, ORDER_MS).unref());
    const telling = Promise.race([sent.catch(() => {}), late]).then(() => {
      if (this.#telling === telling) this.#telling = null;
    });
    this.#telling = telling;
  }

  #take(text: string): void {
    if (this.#onMessage === null) this.#early.push(text);
    else this.#onMessage(text);
  }

  #post(text: string): Promise<void> {
    if (this.#closed !== null) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const refuse = (failure: UpstreamFailure) => {
        if (failure.ran === "no") reject(new UpstreamError(failure));
        else {
          // Nobody knows whether it was taken, so nobody may wait for an answer to it.
          this.#end(failure);
          this.#life.abort();
          resolve();
        }
      };
      let status = 0;
      const listener = {
        onHead(head: { readonly status: number }) {
          status = head.status;
        },
        onMessage: ({ text: error, parsed }: { readonly text: string; readonly parsed?: object }) => {
          const id = (parsed as { id?: unknown } | undefined)?.id;
          if (ranByStatus(status) === "no" || id === null || id === undefined) {
            refuse(this.#lane.failures.ofStatus(status));
          } else this.#take(error);
        },
        onEnd: resolve,
        onFailure: refuse,
      };
      const headers = postHeaders({ message: {}, era: "session", sessionId: null, headers: {} });
      const signal = this.#life.signal;
      const asked: Asked = {
        ...withoutMessage("GET", headers, signal),
        method: "POST",
        path: this.#path,
        body: text,
      };
      new Exchange(this.#lane, asked, listener, performance.now()).start();
    });
  }

  #end(failure: UpstreamFailure): void {
    if (this.#closed !== null) return;
    this.#closed = failure;
    this.#onClose(failure);
  }
}
