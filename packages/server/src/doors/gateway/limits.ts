/** Limits of the gateway's door. */
export const limits = {
  /** A message of a client. */
  bodyBytes: 10 * 1024 * 1024,
  /** How long the rest of a body that is too large is read and thrown away before the answer, and without a byte. */
  discardMs: 1_000,
  discardPauseMs: 100,
  /** How deep a message may nest, in levels. */
  nestingLevels: 100,
  /** A body up to this size is always read; larger ones of one grant share what follows. */
  freeBodyBytes: 128 * 1024,
  /** What the larger bodies on their way may hold together, of one grant. */
  heldBytesPerGrant: 64 * 1024 * 1024,
  /** Messages of one grant under way at once on this node; streams that listen apart. */
  requestsPerGrant: 200,
  /** Streams that listen (GET, subscriptions/listen), of one grant on this node. */
  streamsPerGrant: 50,
  /** The same of all grants on this node. */
  streamsPerNode: 5_000,
  /** How often it is asked whether the grant of what is under way still holds. */
  recheckMs: 500,
  /** An answer to that question which takes longer counts as a no. */
  recheckAnswerMs: 5_000,
  /** Between two signs of life on a stream that is otherwise silent. */
  keepAliveMs: 15_000,
  /** From an answer's end, or from a cancellation, until an upstream that goes on is left to itself. */
  afterEndMs: 1_000,
  /** How long answers under way may take once the door closes. */
  closeMs: 1_000,
  /** A URL with its query. */
  urlChars: 16_384,
  /** A method's name. */
  methodChars: 200,
  /** A tool's name. */
  toolChars: 512,
  /** A protocol version in a header. */
  versionChars: 40,
  /** The part of a `User-Agent` header that is kept. */
  userAgentChars: 300,
  /** A session id or an event id that a client sends. */
  sealedIdChars: 8_192,
  /** Opened session ids kept in memory. */
  openedSessions: 10_000,
  /** How long it is believed which arguments of a server's tools headers repeat. */
  toolsKnownMs: 5_000,
  /** Servers of which that is kept in memory. */
  knownServers: 2_000,
} as const;
