import { randomUUID } from "node:crypto";
import { VERSION } from "../../../kernel/config.ts";
import type { Log } from "../../../kernel/log.ts";
import { askThrough } from "../bridge/collect.ts";
import { createElder } from "../bridge/index.ts";
import type { Message, Upstream } from "../types.ts";
import { createEither } from "./either.ts";
import { type ChannelLimits, channelLimits } from "./limits.ts";
import { observed } from "./observed.ts";
import { createSessionTable } from "./session-table.ts";
import { createStatelessChannels } from "./stateless.ts";
import type { ChannelFactory } from "./types.ts";

export interface SessionUpstreamOptions {
  readonly log: Log;
  readonly limits?: Partial<ChannelLimits>;
  /** Whether the server may speak 2026-07-28 over such a channel, and is to be asked. */
  readonly probesStateless: boolean;
  /** Called with the limit's name when one was hit, for the metrics. */
  onLimit?(limit: string): void;
  /** Milliseconds; for tests. */
  readonly now?: () => number;
}

/** How we introduce ourselves where nobody else does. */
export const ownClientInfo: Message = { name: "ambit", version: VERSION };

/** How often idle sessions are looked for. */
const SWEEP_MS = 15_000;

/**
 * A server that is reached over channels. A client's session has a channel of its own; stateless clients and our own
 * questions share one. Both eras are served, whichever the server speaks.
 */
export function createSessionUpstream(open: ChannelFactory, options: SessionUpstreamOptions): Upstream {
  const { log } = options;
  const limits = { ...channelLimits, ...options.limits };
  const now = options.now ?? performance.now.bind(performance);
  const seen = observed(open);
  const toolsChanged = new Set<() => void>();
  const sayToolsChanged = () => {
    for (const listener of toolsChanged) listener();
  };

  const sessions = createSessionTable({
    open: seen.open,
    limits,
    log,
    now,
    newId: randomUUID,
    maxSessions: Math.max(1, limits.maxChannels - 1),
    onNotification(method) {
      if (method === "notifications/tools/list_changed") sayToolsChanged();
    },
    onLimit: options.onLimit ?? (() => {}),
  });
  const stateless = createStatelessChannels({
    open: seen.open,
    limits,
    log,
    now,
    newId: randomUUID,
    clientInfo: ownClientInfo,
    probes: options.probesStateless,
  });
  stateless.onToolsChanged(sayToolsChanged);
  const elder = createElder(stateless, {
    maxSessions: limits.maxElderSessions,
    sessionIdleMs: limits.sessionIdleMs,
    openTimeoutMs: limits.openTimeoutMs,
    now,
    newId: randomUUID,
  });
  const either = createEither({ sessions, elder, speaksStateless: stateless.learn });
  const sweeper = setInterval(sessions.sweep, Math.min(SWEEP_MS, limits.sessionIdleMs)).unref();

  return {
    send(request, listener) {
      (request.era === "session" ? either : stateless).send(request, listener);
    },
    listen: (session, listener) => either.listen(session, listener),
    endSession: (sessionId) => either.endSession(sessionId),
    ask: (method, params, signal) => askThrough(stateless.send, ownClientInfo, { method, params, signal }),
    onToolsChanged: (listener) => void toolsChanged.add(listener),
    state: seen.state,
    async close() {
      clearInterval(sweeper);
      elder.close();
      await Promise.all([sessions.close(), stateless.close()]);
    },
  };
}
