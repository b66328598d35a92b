/** Limits of one server that is reached over HTTP. Each can be set where the upstream is made. */
export const limits = {
  /** From the name lookup to the end of the TLS handshake. */
  connectMs: 5_000,
  /** Silence before and within an answer; a comment in an event stream is life. */
  idleMs: 60_000,
  /** One exchange, from its start to its last byte. Streams that only tell of events have no end. */
  totalMs: 30 * 60_000,
  /** How long a server may leave its stream open after the answer. */
  drainMs: 5_000,
  /** Between two looks at which exchanges are over their time. */
  sweepMs: 1_000,
  /** How long a connection nobody uses is kept, when the server says nothing about that. */
  keepAliveMs: 30_000,
  /** The same when the server allows more. */
  keepAliveMaxMs: 10 * 60_000,
  /** One message of the server's: a JSON body, or one event. */
  messageBytes: 10 * 1024 * 1024,
  /** The body of an answer that says no. */
  refusalBytes: 64 * 1024,
  /** A credential of fewer characters is not looked for in answers. */
  secretChars: 8,
  /** The head of an answer. */
  headBytes: 64 * 1024,
  /** Exchanges under way at once. */
  exchanges: 1_000,
  /** Sessions over the older transport: each has a stream of its own. */
  olderSessions: 200,
  /** Sessions of older clients with a server that knows none: each is a little memory. */
  elderSessions: 1_000,
  /** How long nothing happens in one of those before it ends. */
  elderIdleMs: 30 * 60_000,
  /** Ending a session. */
  endSessionMs: 5_000,
  /** How long a close waits for sessions to be ended in good order. */
  closeMs: 1_000,
  /** From connecting to the first event of the older transport, which names the endpoint. */
  endpointMs: 10_000,
  /** The question which protocol era the server speaks. */
  discoverMs: 10_000,
  /** A question Ambit asks for itself. */
  askMs: 60_000,
  /** How long it is taken as known which protocol era the server speaks. */
  eraMs: 5 * 60_000,
  /** How often a broken stream is taken up again without one event in between. */
  resumes: 5,
  /** The pause before that, when the server names none; and the longest it may name. */
  resumeMs: 1_000,
  resumeMaxMs: 30_000,
  /** The pause before listening again for changes of the tools; doubled each time in vain. */
  listenAgainMs: 1_000,
  listenAgainMaxMs: 60_000,
} as const;

export type HttpLimits = { readonly [K in keyof typeof limits]: number };
