/** Limits of the substrate's streams. */
export const limits = {
  /** Streams of this node. */
  sockets: 10_000,
  /** Streams of one organisation on this node. */
  socketsPerOrganization: 1_000,
  /** Streams of one key, or of one app's tickets, on this node. */
  socketsPerHolder: 100,
  /** One message from a client; none means anything. */
  messageBytes: 4 * 1024,
  /** Messages of one client in one second. */
  messagesPerSecond: 20,
  /** What may wait for a client that reads slowly; past it the client is closed and comes back with its cursor. */
  queuedBytes: 8 * 1024 * 1024,
  /** Between two pings; a client that has answered none is gone. */
  pingMs: 25_000,
  /** How often it is asked whether keys, roles and links still hold: with the asking itself, within a second. */
  recheckMs: 600,
  /** Holders asked about at once. */
  rechecksAtOnce: 8,
  /** From a close frame to closing the socket by force. */
  closeMs: 2_000,
  /** The same when the server stops. */
  stopMs: 1_000,
  /** Bad tickets one address may try per minute. */
  badTicketsPerMinute: 100,
} as const;
