/** Bounds of what stands between clients of one era and servers of the other. */
export interface BridgeLimits {
  /** How long a server has to answer `initialize`. */
  readonly openTimeoutMs: number;
  /** The shared session ends when nobody used it for this long. */
  readonly idleMs: number;
  /** Waits before listening again to a server whose stream ended: doubled each time, from the first to the last. */
  readonly firstListenRetryMs: number;
  readonly lastListenRetryMs: number;
  /** Subscriptions of clients at the same time. */
  readonly maxSubscriptions: number;
}

export const bridgeLimits: BridgeLimits = {
  openTimeoutMs: 30_000,
  idleMs: 5 * 60_000,
  firstListenRetryMs: 1_000,
  lastListenRetryMs: 60_000,
  maxSubscriptions: 1_000,
};
