/** Limits of the door to Durable Objects. */
export const limits = {
  /** Requests of one app under way at once on this node, sockets apart. */
  inFlightPerApp: 1_000,
  /** Sockets of one app on this node. */
  socketsPerApp: 10_000,
  /** Sockets of this node. */
  sockets: 20_000,
  /** A URL with its query. */
  urlChars: 16_384,
  /** How often it is asked whether apps, classes, keys and tokens of open sockets still hold. */
  recheckMs: 1_000,
  /** From telling a socket to end until it is cut. */
  endMs: 2_000,
} as const;
