/** Limits of callbacks from user code. */
export const limits = {
  /** A question for Ambit: a statement with its parameters. */
  questionBytes: 10 * 1024 * 1024,
  /** Callbacks of one app under way at once, per node. */
  underWayPerApp: 500,
  /** Bytes of one app's questions that are held at once: read whole, hundreds of them would be all of our memory. */
  heldBytesPerApp: 64 * 1024 * 1024,
  /** Calls inside an app that may lead one to the next. */
  loopDepth: 4,
  /** How long an actor has for a call from inside the app. */
  actorCallMs: 300_000,
  /** Keys of `idempotency.claim`, and how long they may be held. */
  keyChars: 300,
  defaultTtlS: 86_400,
  maxTtlS: 30 * 86_400,
} as const;
