import type { Upstream, UpstreamListener, UpstreamRequest } from "../types.ts";

/**
 * A server as clients before 2026-07-28 see it: `initialize` opens a session, and everything else names it. Ids and
 * progress tokens of one session's requests must not collide; whoever uses a transport sees to that.
 */
export type SessionTransport = Pick<Upstream, "send" | "listen" | "endSession">;

/** A server as clients from 2026-07-28 on see it: every request stands for itself. */
export interface StatelessFace {
  /** Takes what comes with `era: "stateless"`. */
  send(request: UpstreamRequest, listener: UpstreamListener): void;
  /** Called when the server says that its list of tools has changed. */
  onToolsChanged(listener: () => void): void;
  /** Exchanges under way. */
  underWay(): number;
  /** Ends what was opened for it; what is under way fails. */
  close(): Promise<void>;
}
