/** Limits of what one program may ask of the network. */
export const limits = {
  /** Requests under way at once. */
  requests: 200,
  /** Connections of `cloudflare:sockets` and WebSocket clients open at once. */
  tunnels: 200,
  /** Name lookups under way at once; more wait. */
  lookups: 16,
  /** One name lookup. */
  lookupMs: 5_000,
  /** From the lookup to the end of the TLS handshake. */
  connectMs: 10_000,
  /** Silence before the head of an answer. */
  headMs: 300_000,
  /** Silence between two parts of an answer. */
  silenceMs: 300_000,
  /** How long a connection nobody uses is kept. */
  idleMs: 10_000,
  /** Connections to one origin. */
  connectionsPerOrigin: 64,
  /** The head of a request or an answer. */
  headBytes: 64 * 1024,
  /** Between two reports of what was used. */
  reportMs: 1_000,
  /** Mail servers take what anyone sends them; no user code goes there. */
  refusedPorts: [25] as readonly number[],
} as const;
