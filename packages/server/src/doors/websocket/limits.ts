/** Limits of the WebSocket door. */
export const limits = {
  /** Connections of this node. */
  connections: 20_000,
  /** Connections of one app on this node. */
  connectionsPerApp: 10_000,
  /** One message from a client. */
  messageBytes: 64 * 1024,
  /** Messages of one client in one second. */
  messagesPerSecond: 100,
  /** What may wait for a client that reads slowly; past it the client is told so and closed. */
  queuedBytes: 8 * 1024 * 1024,
  /** Clients give up after 45 s of silence. */
  heartbeatMs: 25_000,
  /** How often it is asked whether apps, keys and tokens still hold. */
  recheckMs: 1_000,
  /** From a close frame to closing the socket by force. */
  closeMs: 2_000,
  /** The same when the server stops. */
  stopMs: 1_000,
} as const;
