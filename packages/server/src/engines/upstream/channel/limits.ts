/** Bounds of what goes over a channel. */
export interface ChannelLimits {
  /** Channels of one server at the same time: client sessions and the shared one. One is kept for the shared one. */
  readonly maxChannels: number;
  /** Sessions of older clients with a server that knows none: they cost no channel. */
  readonly maxElderSessions: number;
  /** A client's session in which nothing happens ends after this. */
  readonly sessionIdleMs: number;
  /** When there is no room for another session, the one that was quiet longest, and for at least this, makes room. */
  readonly sessionEvictableAfterMs: number;
  /** The shared channel ends when nobody used it for this long. */
  readonly sharedIdleMs: number;
  /** A request fails when nothing was heard of it for this long. */
  readonly requestIdleMs: number;
  /** How long a server has to answer `initialize` or `server/discover`, from its start on. */
  readonly openTimeoutMs: number;
  /** A server that does not answer `server/discover` by then does not know it. */
  readonly discoverTimeoutMs: number;
  /** After a client has cancelled a request, an answer that is on its way is still waited for this long. */
  readonly cancelGraceMs: number;
  /** Requests under way over one channel. */
  readonly maxUnderWay: number;
  /** Messages that wait for a reader who is slow, or for one to come. The answer to a request always may. */
  readonly maxWaitingMessages: number;
  /** Together as long as this, in UTF-16 units. */
  readonly maxWaitingChars: number;
  /** Progress tokens of tasks, which live on after the answer. */
  readonly maxTaskTokens: number;
}

export const channelLimits: ChannelLimits = {
  maxChannels: 16,
  maxElderSessions: 1_000,
  sessionIdleMs: 30 * 60_000,
  sessionEvictableAfterMs: 60_000,
  sharedIdleMs: 5 * 60_000,
  requestIdleMs: 5 * 60_000,
  openTimeoutMs: 30_000,
  discoverTimeoutMs: 5_000,
  cancelGraceMs: 1_000,
  maxUnderWay: 1_000,
  maxWaitingMessages: 1_000,
  maxWaitingChars: 4 * 1024 * 1024,
  maxTaskTokens: 1_000,
};
