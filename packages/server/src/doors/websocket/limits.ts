/** Limits of the WebSocket door. */
export const limits = {
  /** Connections of this node. */
  connections: 30_000,
  /** Connections of one app on this node. */
  connectionsPerApp: 15_000,
  /** Connections of one end user to one app on this node. */
  connectionsPerUser: 200,
  /** Connections of one key to one app on this node. */
  connectionsPerKey: 2_000,
  /** Connections without a credential from one address to one app on this node. */
  connectionsPerAddress: 2_000,
  /** Upgrade requests of one address in one window; everybody behind one proxy shares them. */
  handshakesPerAddress: 60_000,
  handshakeWindowS: 60,
  /** Upgrade requests whose caller is being looked up at once; further ones wait. */
  handshakesAtOnce: 64,
  /** Upgrade requests that may wait; beyond that they are refused. */
  handshakesWaiting: 20_000,
  /** One message from a client; a larger one closes the connection. */
  messageBytes: 64 * 1024,
  /** Of a message larger than this nothing is kept: no frame says why the connection closes, only the code 1009 does. */
  receivedBytes: 128 * 1024,
  /** Messages of one client in one second. */
  messagesPerSecond: 100,
  /** What may wait for a client that reads slowly; past it the client is told so and closed. */
  queuedBytes: 8 * 1024 * 1024,
  /** What may wait for all clients of this node; past it the slowest are told so and closed. */
  queuedBytesAll: 256 * 1024 * 1024,
  /** Frames for one socket are put together up to this size; larger ones are handed over as they are. */
  pieceBytes: 64 * 1024,
  /** From one heartbeat of a connection to its next. Clients give up after 45 s of silence. */
  heartbeatMs: 25_000,
  /** The parts of that period over which connections are spread. */
  heartbeatSlots: 100,
  /** How often it is asked whether apps, keys and tokens still hold. */
  recheckMs: 1_000,
  /** From a close frame to closing the socket by force. */
  closeMs: 2_000,
  /** The same when the server stops. */
  stopMs: 1_000,
} as const;
