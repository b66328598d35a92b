import { kindOf, STATELESS_VERSION, statelessMeta } from "../channel/messages.ts";
import type { Message, UpstreamListener, UpstreamRequest } from "../types.ts";
import type { HttpLimits } from "./limits.ts";

export interface ToolWatchOptions {
  send(request: UpstreamRequest, listener: UpstreamListener): void;
  readonly clientInfo: Message;
  readonly limits: Pick<HttpLimits, "listenAgainMs" | "listenAgainMaxMs">;
  /** A change may have been missed. What is heard is told by the transport itself. */
  onMissed(): void;
}

export interface ToolWatch {
  /** Begins to listen; does nothing when it does already, or the server does not offer it. */
  start(): void;
  stop(): void;
}

/** Keeps one `subscriptions/listen` open to a stateless server, for changes of its tools. */
export function createToolWatch(options: ToolWatchOptions): ToolWatch {
  const { limits, clientInfo } = options;
  const stopping = new AbortController();
  let started = false;
  let timer: NodeJS.Timeout | null = null;

  const listen = (waitMs: number, again: boolean) => {
    let heard = false;
    let refused = false;
    const next = () => {
      if (stopping.signal.aborted || refused) return;
      const nextMs = heard ? limits.listenAgainMs : Math.min(waitMs * 2, limits.listenAgainMaxMs);
      timer = setTimeout(() => listen(nextMs, true), nextMs).unref();
    };
    const params = { notifications: { toolsListChanged: true }, _meta: statelessMeta(clientInfo) };
    const request: UpstreamRequest = {
      message: { jsonrpc: "2.0", id: "tools", method: "subscriptions/listen", params },
      era: "stateless",
      sessionId: null,
      headers: { "mcp-protocol-version": STATELESS_VERSION },
      signal: stopping.signal,
    };
    options.send(request, {
      onHead() {},
      onMessage({ parsed }) {
        if (parsed !== undefined && kindOf(parsed) === "answer") refused = parsed.error !== undefined;
        else if (!heard) {
          heard = true;
          if (again) options.onMissed();
        }
      },
      onEnd: next,
      onFailure(failure) {
        refused = failure.kind === "refused";
        next();
      },
    });
  };
  return {
    start() {
      if (started || stopping.signal.aborted) return;
      started = true;
      listen(limits.listenAgainMs, false);
    },
    stop() {
      stopping.abort();
      if (timer !== null) clearTimeout(timer);
    },
  };
}
